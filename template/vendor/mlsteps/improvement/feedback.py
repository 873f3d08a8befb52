"""Take the true labels of earlier predictions, as POST /feedback does, and train on them."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..collection.collect import LABELLED
from ..collection.file import read_table
from ..database import database_url, open_database
from ..deployment.prediction_log import (
    find_predictions,
    open_log,
    read_predictions,
    why,
    write_feedback,
)
from ..errors import UserError
from ..files import replacing
from ..modeling import store
from ..preparation.schema import read_schema
from ..problem.columns import ConversionError, convert
from ..problem.project import Project
from ..problem.sources import Data

ID, ACTUAL = "id", "actual"  # the columns of a file or a query
# Where each labelled row comes from. Names of collected columns have no blanks around them, and
# what is not collected is no feature.
PREDICTION, VERSION, AT = " prediction", " version", " at"


def take_feedback(project: Project, file: str = "") -> str:
    """Write true labels of predictions to the log; each row is counted once.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    file : str, optional
        Any file or URL that `collect` can read, relative to the working directory, with the
        columns ``id`` and ``actual``. If none is given, what ``[improvement] labels`` names.

    Returns
    -------
    str
        A sentence for the command line: how many were new, were corrected, or were left out and
        why. Empty if no file is given and none is named.

    Raises
    ------
    UserError
        If it cannot be read or lacks a column, there is no champion, or the log does not answer.

    Examples
    --------
    >>> take_feedback(project, "outcomes.csv")  # doctest: +SKIP
    '40 new, 1 corrected; left out: 0 repeated, 2 of unknown predictions, 0 wrong, 0 empty'
    """
    settings, data = project.definition.improvement, project.definition.data
    if not file and settings.labels_query:
        where, frame = "[improvement] labels_query", _query(project)
    elif where := file or settings.labels:
        # Where the names stand in the files of [data] says nothing about this one.
        plain = Data(source="file", missing=data.missing)
        table, _ = read_table(where, Path.cwd() if file else project.root, plain)
        frame = table.to_pandas()
    else:
        return ""
    absent = [name for name in (ID, ACTUAL) if name not in frame]
    if absent:
        raise UserError(
            f'{where} has no column "{absent[0]}" but {", ".join(map(repr, frame))}; it needs '
            f'"{ID}", the id that came with a prediction, and "{ACTUAL}", what it really was.'
        )
    return _write(project, frame)


def add_labelled_rows(project: Project) -> None:
    """Write the predictions with true labels to data/raw/labelled.parquet, to train on.

    They look like collected rows, with the id of the prediction, its version and time (UTC).
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
    mixed = [name for name in rows if rows[name].dtype == object]  # a parquet column has one type
    rows[mixed] = rows[mixed].map(str, na_action="ignore")
    rows[PREDICTION], rows[VERSION], rows[AT] = metadata.index, metadata["version"], metadata["at"]
    with replacing(project.raw / LABELLED, private=True) as path:
        rows.to_parquet(path, index=False)


def _query(project: Project) -> pd.DataFrame:
    settings, key = project.definition.improvement, "[improvement] labels"
    engine = open_database(database_url(settings.labels, key, project.root), key)
    try:
        with engine.connect() as connection:
            result = connection.execute(sa.text(settings.labels_query))
            return pd.DataFrame(result.all(), columns=list(result.keys()))
    except SQLAlchemyError as error:
        raise UserError(f"[improvement] labels_query fails ({why(error)}); correct it.") from None
    finally:
        engine.dispose()


def _write(project: Project, frame: pd.DataFrame) -> str:
    """Write what is new to the log, and say what became of the rows."""
    schema = read_schema(store.champion_folder(project.models) / store.SCHEMA)
    kind, classes = project.definition.problem.target_kind, schema.decision.get("classes", [])
    rows = frame[frame[ID].notna() & frame[ACTUAL].notna()]
    ids = rows[ID].astype("str").str.strip()
    wrong = pd.Series(data=False, index=rows.index)
    try:
        actual = convert(rows[ACTUAL], kind, schema.target_written)
    except ConversionError as error:
        wrong.iloc[error.rows] = True
        actual = convert(rows[ACTUAL].mask(wrong), kind, schema.target_written)
    if classes:
        wrong |= ~actual.isin(classes)
    with open_log(project) as log:
        known = find_predictions(log, ids[~wrong].unique().tolist())
        good = ids.isin(known.index)
        last = pd.Series(actual[good].to_numpy(), ids[good]).groupby(level=0).last()
        before = known["actual"].reindex(last.index)
        written = last[before.isna() | (before != last)]
        write_feedback(log, written.items(), datetime.now(UTC).replace(tzinfo=None))
    example = ""
    if wrong.any():
        row, allowed = wrong.idxmax(), f"one of {', '.join(classes)}" if classes else "a number"
        value = str(frame.loc[row, ACTUAL])[:40]
        example = f" (like {value!r} in row {row + 1:,}, not {allowed})"
    new = before.isna().sum()
    return (
        f"{new:,} new, {len(written) - new:,} corrected; left out: "
        f"{good.sum() - len(written):,} repeated, {(~wrong & ~good).sum():,} of unknown "
        f"predictions, {wrong.sum():,} wrong{example}, {len(frame) - len(rows):,} empty"
    )
