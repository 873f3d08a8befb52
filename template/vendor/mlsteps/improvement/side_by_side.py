"""In shadow mode: what champion and challenger answered to the same rows, whose truth is known."""

from dataclasses import dataclass

from ..deployment.prediction_log import LoggedPredictions, log_engine, read_predictions
from ..modeling import store
from ..problem.metric import Metric
from ..problem.project import Project
from .concept import Quality, quality


@dataclass(frozen=True)
class SideBySide:
    """The metric of the definition, with its interval, of both on the same rows.

    Attributes
    ----------
    challenger
        The version that answers in the shadow.
    rows
        How many of its answers have a known truth.
    quality
        Of "champion" and "challenger"; empty while there are too few rows to tell.
    """

    challenger: str
    rows: int
    quality: dict[str, Quality]


def read_side_by_side(project: Project, champion: str, challenger: str) -> LoggedPredictions:
    """Read the newest predictions with truth that both have answered, as many as are judged.

    Raises
    ------
    UserError
        If the prediction log does not answer.
    """
    settings = project.definition.improvement
    most = max(settings.window, settings.shadow_rows)
    engine = log_engine(project)
    try:
        return read_predictions(engine, champion, most, labelled=True, challenger=challenger)
    finally:
        engine.dispose()


def look_side_by_side(project: Project, champion: str, metric: Metric) -> SideBySide | None:
    """Measure both; None if there is no challenger.

    Raises
    ------
    UserError
        If the prediction log does not answer.
    """
    challenger = store.challenger(project.models)
    if challenger is None:
        return None
    logged = read_side_by_side(project, champion, challenger)
    found: dict[str, Quality] = {}
    if len(logged.metadata) >= project.definition.improvement.minimum_rows:
        predictions = {"champion": logged.predictions, "challenger": logged.shadow}
        told = {role: quality(logged, each, metric, project) for role, each in predictions.items()}
        found = {role: value for role, value in told.items() if value}
    return SideBySide(challenger, len(logged.metadata), found)
