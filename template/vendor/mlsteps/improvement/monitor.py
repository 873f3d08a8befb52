"""Monitor what is served: inputs, predictions, and errors where true labels have come back."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..deployment.prediction_log import LoggedPredictions, open_log, read_predictions
from ..errors import UserError
from ..files import read_frame, read_json, write_json
from ..modeling import store
from ..modeling.predictor import LoadPredictor, Predictor
from ..problem.columns import convert
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics, all_metrics
from ..problem.project import Project
from ..report import counted
from .comparison import measure_shadow, replay_of
from .drift import Drift, adjust, compare_column
from .feedback import take_feedback
from .performance import Performance, find_change, measure_logged, measure_windows, row_errors
from .policy import Policy

PREDICTION, SCORE = "prediction", "score"  # columns of predictions whose drift is measured
MOST_TIMES = 10  # as many rows as [improvement] window are shown over time
FILE = "monitor.json"


@dataclass(frozen=True)
class MonitorResult:
    """What `monitor` found.

    Attributes
    ----------
    version : str
        The champion.
    rows, labelled : int
        How many of its newest predictions were compared, and how many of those with true labels.
    drifted, decayed : list of str
        A sentence for each alarm: of inputs and predictions, and of errors.
    notes : list of str
        What was not tested, and why.
    feedback : str
        What became of the true labels that ``[improvement] labels`` names, in a sentence.
    drifts : list of Drift
        Every column with its adjusted p-value, the most suspicious first.
    performance : Performance or None
        The metric and the errors of the newest rows with true labels; None while these are few.
    shadow : dict or None
        The challenger, and the metric of both on the same rows; None if there is no challenger.
    windows : list of dict
        The metric over time, of all versions that have served.

    Examples
    --------
    >>> MonitorResult("20260131-120000", 500, 0, [], [], [], "", [], None, None, []).summary()
    'no alarm in 500 predictions of version 20260131-120000'
    """

    version: str
    rows: int
    labelled: int
    drifted: list[str]
    decayed: list[str]
    notes: list[str]
    feedback: str
    drifts: list[Drift]
    performance: Performance | None
    shadow: dict[str, Any] | None
    windows: list[dict[str, Any]]

    @property
    def alarms(self) -> list[str]:
        """All sentences about changes; empty when all is well."""
        return [*self.drifted, *self.decayed]

    def summary(self) -> str:
        """Return what was found, in a line."""
        if self.alarms:
            return f"ALARM: {'; '.join(self.alarms)}"
        calm = f"no alarm in {counted(self.rows, 'prediction')} of version {self.version}"
        return "; ".join([calm, *self.notes])


def monitor(
    project: Project, metrics: Metrics, load_predictor: LoadPredictor, policy: Policy
) -> MonitorResult:
    """Compare the newest predictions of the champion with what it was trained and tested on.

    Takes the feedback that ``[improvement] labels`` names, and writes reports/monitor.json.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    metrics : dict of str to Metric
        Those of the project, beside the standard ones.
    load_predictor : function of Path
        Returns the predictor of a version, from its folder.
    policy : Policy
        Says what is an alarm.

    Returns
    -------
    MonitorResult
        Alarms, and what they were decided by.

    Raises
    ------
    UserError
        If there is no champion, or the prediction log does not answer.

    Examples
    --------
    >>> monitor(project, METRICS, load_model, POLICY).alarms  # doctest: +SKIP
    ['"age" has drifted (p = 2e-06, PSI 0.31; median 41, now 55)']
    """
    definition, settings = project.definition, project.definition.improvement
    least = settings.minimum_rows
    metric = all_metrics(definition.problem.type, metrics)[definition.problem.metric]
    predictor = load_predictor(store.champion_folder(project.models))
    version, challenger = predictor.version, store.challenger(project.models)
    try:
        taken, notes = take_feedback(project), []
    except UserError as error:  # what the log knows already can still be compared
        taken, notes = "", [f"no true labels were taken: {error.message}".rstrip(".")]
    with open_log(project) as log:
        newest = read_predictions(log, version, settings.window)
        labelled = read_predictions(log, version, settings.window, labelled=True)
        served = read_predictions(log, last=MOST_TIMES * settings.window, labelled=True)
    drifts, performance = [], None
    if len(newest) < least:
        found = counted(len(newest), "prediction")
        notes.append(f"not enough yet to test for drift: {found}, {least} are needed")
    else:
        drifts = _drifts(newest, predictor, definition)
    if len(labelled) < least:
        found = f"{counted(len(labelled), 'prediction')} with true labels"
        notes.append(f"not enough yet to measure errors: {found}, {least} are needed")
    else:
        performance = _performance(labelled, predictor, metric, definition)
    decayed = performance is not None and policy.has_decayed(performance, settings)
    result = MonitorResult(
        version=version,
        rows=len(newest),
        labelled=len(labelled),
        drifted=[drift.sentence() for drift in drifts if policy.has_drifted(drift, settings)],
        decayed=performance.sentences() if performance and decayed else [],
        notes=notes,
        feedback=taken,
        drifts=drifts,
        performance=performance,
        shadow=measure_shadow(project, version, challenger, metric) if challenger else None,
        windows=measure_windows(served, metric, definition),
    )
    more = {"alarms": result.alarms, "quality": performance.live if performance else None}
    write_json(project.reports / FILE, asdict(result) | more)
    return result


def _drifts(logged: LoggedPredictions, predictor: Predictor, definition: Definition) -> list[Drift]:
    """Compare the features, and the predictions, and adjust for their number."""
    kind, date = definition.problem.target_kind, definition.columns.date
    columns, with_predictions = replay_of(definition).monitored_columns(predictor.schema, date)
    reference = read_frame(predictor.folder / store.REFERENCE)
    tested = read_frame(predictor.folder / store.TEST_PREDICTIONS)
    features = predictor.features(predictor.schema.conform(logged.inputs))
    drifts = [compare_column(c.name, c.kind, reference[c.name], features[c.name]) for c in columns]
    if with_predictions:
        before, now = (convert(each[PREDICTION], kind) for each in (tested, logged.predictions))
        drifts.append(compare_column(PREDICTION, kind, before, now))
        if SCORE in tested:
            now = logged.predictions[SCORE]
            drifts.append(compare_column(SCORE, "number", tested[SCORE], now))
    adjusted = adjust([drift.p_value for drift in drifts])
    drifts = [replace(drift, p_value=p) for drift, p in zip(drifts, adjusted, strict=True)]
    return sorted(drifts, key=lambda drift: drift.p_value)


def _performance(
    labelled: LoggedPredictions, predictor: Predictor, metric: Metric, definition: Definition
) -> Performance:
    """Compare the metric with that of the test, and look for a rise of the errors."""
    return Performance(
        title=metric.title,
        higher_is_better=metric.higher_is_better,
        rows=len(labelled),
        live=measure_logged(labelled, labelled.predictions, metric, definition),
        tested=read_json(predictor.folder / store.METRICS)["test"][definition.problem.metric],
        change=find_change(row_errors(labelled, definition.problem.target_kind)),
    )
