"""Take the true labels of earlier predictions, as POST /feedback does, and train on them."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..collection.collect import LABELLED
from ..collection.tables import read_tables
from ..database import database_url, open_database
from ..deployment.prediction_log import (
    find_predictions,
    open_log,
    read_predictions,
    why,
    write_feedback,
)
from ..errors import UserError
from ..files import replacing, write_json
from ..modeling import store
from ..preparation.schema import read_schema
from ..problem.columns import ConversionError, convert
from ..problem.project import Project
from ..problem.settings import Kind

ID, ACTUAL = "id", "actual"  # the columns of a file or a query
FILE = "feedback.json"
# Where each labelled row comes from. Names of collected columns have no blanks around them, and
# what is not collected is no feature.
PREDICTION, VERSION, AT = " prediction", " version", " at"


@dataclass(frozen=True)
class FeedbackResult:
    """What became of the rows of a file or a query; each is counted once.

    Attributes
    ----------
    new, corrected : int
        Written to the log: for the first time, and instead of another value.
    repeated, unknown, wrong, missing : int
        Left out: known already or given again below, of no prediction, none that the target can
        have (`example` is the first of them), and rows without an id or a value.
    days : float or None
        The median time from the prediction to its label; None if nothing was written.
    """

    new: int
    corrected: int
    repeated: int
    unknown: int
    wrong: int
    missing: int
    example: str
    days: float | None

    def summary(self) -> str:
        """Return the counts, in a line."""
        late = f", {self.days:.1f} days after the prediction (median)" if self.days else ""
        example = f" (like {self.example})" if self.example else ""
        return (
            f"{self.new:,} new, {self.corrected:,} corrected{late}; left out: {self.repeated:,} "
            f"repeated, {self.unknown:,} of unknown predictions, {self.wrong:,} wrong{example}, "
            f"{self.missing:,} empty"
        )


def take_feedback(project: Project, file: str = "") -> FeedbackResult | None:
    """Write true labels of predictions to the log, and their counts to reports/feedback.json.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    file : str, optional
        Any file or URL that `collect` can read, relative to the working directory, with the
        columns ``id`` and ``actual``. If none is given, what ``[improvement] truth`` names.

    Returns
    -------
    FeedbackResult or None
        None if no file is given and none is named.

    Raises
    ------
    UserError
        If it cannot be read or lacks a column, there is no champion, or the log does not answer.
    """
    settings, missing = project.definition.improvement, project.definition.data.missing
    if file:
        where, frame = file, read_tables(file, Path.cwd(), missing).frame
    elif settings.truth_query:
        where, frame = "[improvement] truth_query", _query(project)
    elif settings.truth:
        where, frame = settings.truth, read_tables(settings.truth, project.root, missing).frame
    else:
        return None
    absent = [name for name in (ID, ACTUAL) if name not in frame]
    if absent:
        raise UserError(
            f'{where} has no column "{absent[0]}" but {", ".join(map(repr, frame))}; it needs '
            f'"{ID}", the id that came with a prediction, and "{ACTUAL}", what it really was.'
        )
    result = _write(project, frame)
    write_json(project.reports / FILE, {"from": where, **asdict(result)})
    return result


def add_labelled_rows(project: Project) -> None:
    """Write the predictions with true labels to data/raw/labelled.parquet, to train on.

    They look like collected rows, so that all later steps treat them alike; the collected rows
    themselves are not touched. Each comes with the id of its prediction, the version that made it
    and the time (UTC).
    """
    with open_log(project) as log:
        logged = read_predictions(log, labelled=True)
    if not len(logged):
        return
    metadata, definition = logged.metadata, project.definition
    rows = logged.inputs.copy()
    if definition.problem.learns_from_feedback and definition.problem.target:
        rows[definition.problem.target] = metadata["actual"]
    date, group = definition.columns.date, definition.columns.group
    if date and date not in rows:
        rows[date] = metadata["at"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    if group and group not in rows:
        rows[group] = metadata.index  # nothing is known about who it was, so a group by itself
    for name in rows:
        if rows[name].dtype == object:  # a parquet column has one type
            rows[name] = rows[name].map(str, na_action="ignore")
    rows[PREDICTION], rows[VERSION], rows[AT] = metadata.index, metadata["version"], metadata["at"]
    with replacing(project.raw / LABELLED) as path:
        rows.to_parquet(path, index=False)


def _query(project: Project) -> pd.DataFrame:
    settings = project.definition.improvement
    key = "[improvement] truth"
    engine = open_database(database_url(settings.truth, key, project.root), key)
    try:
        with engine.connect() as connection:
            result = connection.execute(sa.text(settings.truth_query))
            return pd.DataFrame(result.all(), columns=list(result.keys()))
    except SQLAlchemyError as error:
        raise UserError(f"[improvement] truth_query fails ({why(error)}); correct it.") from None
    finally:
        engine.dispose()


def _write(project: Project, frame: pd.DataFrame) -> FeedbackResult:
    schema = read_schema(store.champion_folder(project.models) / store.SCHEMA)
    classes = schema.decision.get("classes", [])
    ids = frame[ID].astype("str").str.strip().where(frame[ID].notna())
    there = ids.notna() & frame[ACTUAL].notna()
    ids = ids[there]
    kind = project.definition.problem.target_kind
    actual, wrong = _values(frame.loc[there, ACTUAL], classes, kind)
    now = datetime.now(UTC).replace(tzinfo=None)
    with open_log(project) as log:
        known = find_predictions(log, ids[~wrong].unique().tolist())
        unknown = ~wrong & ~ids.isin(known.index)
        good = ~wrong & ~unknown
        last = pd.Series(actual[good].to_numpy(), ids[good]).groupby(level=0).last()
        before = known["actual"].reindex(last.index)
        new = before.isna()
        changed = ~new & (before != last)
        written = last[new | changed]
        write_feedback(log, written.items(), now)
    late = (now - known.loc[written.index, "at"]).dt.total_seconds() / 86400
    return FeedbackResult(
        new=int(new.sum()),
        corrected=int(changed.sum()),
        repeated=int(good.sum()) - len(written),
        unknown=int(unknown.sum()),
        wrong=int(wrong.sum()),
        missing=int((~there).sum()),
        example=_example(frame[ACTUAL], wrong[wrong].index, classes),
        days=float(late.median()) if len(written) else None,
    )


def _values(actual: pd.Series, classes: list[str], kind: Kind) -> tuple[pd.Series, pd.Series]:
    """Return the values as the target has them, and which of them it cannot have."""
    wrong = pd.Series(data=False, index=actual.index)
    try:
        values = convert(actual, kind)
    except ConversionError as error:
        wrong.iloc[error.rows] = True
        values = convert(actual.mask(wrong), kind)
    return values, wrong | (~values.isin(classes) if classes else np.False_)


def _example(actual: pd.Series, wrong: pd.Index, classes: list[str]) -> str:
    if wrong.empty:
        return ""
    expected = f"one of {', '.join(classes)}" if classes else "a number"
    return f"{str(actual.loc[wrong[0]])[:40]!r} in row {wrong[0] + 1:,}, not {expected}"
