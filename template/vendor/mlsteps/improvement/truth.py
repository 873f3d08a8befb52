"""Take the truth of earlier predictions from a file or a database, as POST /feedback does."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..collection.tables import read_tables
from ..database import database_url, open_database
from ..deployment.prediction_log import (
    find_predictions,
    log_engine,
    why,
    write_feedback,
)
from ..errors import UserError
from ..files import write_json
from ..modeling import store
from ..preparation.schema import read_schema
from ..problem.columns import ConversionError, convert
from ..problem.project import Project
from ..problem.settings import Kind

ID, ACTUAL = "id", "actual"  # the columns of a file or a query
TAKEN = "truth.json"


@dataclass(frozen=True)
class Taken:
    """What became of the rows that brought truth; each is counted once.

    Attributes
    ----------
    new, corrected
        Written to the log: for the first time, and instead of another value.
    repeated
        What the log knew already, and rows that a later one of the same id replaces.
    unknown
        Ids that no prediction has.
    wrong
        Values that the target cannot have; `example` is the first of them.
    missing
        Rows without an id or a value.
    days
        The median time from the prediction to its truth; None if nothing was written.
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


def take_truth(project: Project, file: str = "") -> Taken | None:
    """Write to the log what predictions turned out to be, and reports/truth.json.

    Parameters
    ----------
    file
        Any file or URL that `collect` can read, relative to the working directory, with the
        columns ``id`` and ``actual``. If none is given, what ``[improvement] truth`` names.

    Returns
    -------
    Taken or None
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
    taken = _take(project, frame)
    write_json(project.reports / TAKEN, {"from": where, **asdict(taken)})
    return taken


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


def _take(project: Project, frame: pd.DataFrame) -> Taken:
    schema = read_schema(store.champion_folder(project.models) / store.SCHEMA)
    classes = schema.decision.get("classes", [])
    ids = frame[ID].astype("str").str.strip().where(frame[ID].notna())
    there = ids.notna() & frame[ACTUAL].notna()
    ids = ids[there]
    actual, wrong = _values(
        frame.loc[there, ACTUAL], classes, project.definition.problem.target_kind
    )

    engine, now = log_engine(project), datetime.now(UTC).replace(tzinfo=None)
    known = find_predictions(engine, ids[~wrong].unique().tolist())
    unknown = ~wrong & ~ids.isin(known.index)
    good = ~wrong & ~unknown
    truth = pd.Series(actual[good].to_numpy(), ids[good]).groupby(level=0).last()
    before = known["actual"].reindex(truth.index)
    fresh = before.isna()
    changed = ~fresh & (before != truth)
    written = truth[fresh | changed]
    write_feedback(engine, written.items(), now)
    engine.dispose()
    late = (now - known.loc[written.index, "at"]).dt.total_seconds() / 86400
    return Taken(
        new=int(fresh.sum()),
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
