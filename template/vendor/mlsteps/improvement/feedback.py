"""Take the true labels of earlier predictions, as POST /feedback does, and train on them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..collection import storage
from ..collection.collect import LABELLED
from ..collection.file import open_parts
from ..collection.stream import Stream
from ..database import database_url, open_database
from ..deployment.prediction_log import (
    ROWS_AT_ONCE,
    find_predictions,
    open_log,
    read_labelled,
    why,
    write_feedback,
)
from ..errors import UserError
from ..modeling import store
from ..preparation.schema import Schema, read_schema
from ..problem.columns import ConversionError, convert
from ..problem.definition import Definition
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
        return _write(project, _query(project), "[improvement] labels_query")
    if where := file or settings.labels:
        # Where the names stand in the files of [data] says nothing about this one.
        plain = Data(source="file", missing=data.missing)
        with open_parts(where, Path.cwd() if file else project.root, plain) as opened:
            return _write(project, (frame for _, frame in opened.parts), where)
    return ""


def add_labelled_rows(project: Project) -> None:
    """Write the predictions with true labels to data/raw/labelled.parquet, to train on.

    They look like collected rows, with the id of the prediction, its version and time (UTC).
    """
    with open_log(project) as log:
        tables = (_collected(*some, project.definition) for some in read_labelled(log))
        first = next(tables, None)
        if first is not None:
            stream = Stream(lambda _: chain([first], tables), name=LABELLED)
            storage.store(project.raw / LABELLED, stream, anew=True)


def _collected(metadata: pd.DataFrame, inputs: pd.DataFrame, definition: Definition) -> pa.Table:
    """Return predictions as if they had been collected."""
    rows = inputs.copy()
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
    return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()


def _query(project: Project) -> Iterator[pd.DataFrame]:
    settings, key = project.definition.improvement, "[improvement] labels"
    engine = open_database(database_url(settings.labels, key, project.root), key)
    try:
        with engine.connect() as connection:
            streamed = connection.execution_options(yield_per=ROWS_AT_ONCE)
            result = streamed.execute(sa.text(settings.labels_query))
            names = list(result.keys())
            yield pd.DataFrame(columns=names)  # which may be all
            for rows in result.partitions():
                yield pd.DataFrame(rows, columns=names)
    except SQLAlchemyError as error:
        raise UserError(f"[improvement] labels_query fails ({why(error)}); correct it.") from None
    finally:
        engine.dispose()


def _write(project: Project, parts: Iterable[pd.DataFrame], where: str) -> str:
    """Write what is new to the log, part by part, and say what became of the rows."""
    schema = read_schema(store.champion_folder(project.models) / store.SCHEMA)
    classes = schema.decision.get("classes", [])
    counts, rows, example = Counter[str](), 0, ""
    with open_log(project) as log:
        for frame in parts:
            absent = [name for name in (ID, ACTUAL) if name not in frame]
            if absent:
                raise UserError(
                    f'{where} has no column "{absent[0]}" but {", ".join(map(repr, frame))}; it '
                    f'needs "{ID}", the id that came with a prediction, and "{ACTUAL}", what it '
                    "really was."
                )
            full = frame[frame[ID].notna() & frame[ACTUAL].notna()]
            actual, wrong = _converted(full[ACTUAL], project, schema, classes)
            if wrong.any() and not example:
                row, value = wrong.idxmax(), str(frame.loc[wrong.idxmax(), ACTUAL])[:40]
                allowed = f"one of {', '.join(classes)}" if classes else "a number"
                example = f" (like {value!r} in row {rows + row + 1:,}, not {allowed})"
            ids = full[ID].astype("str").str.strip()
            counts.update(_write_part(log, pd.Series(actual[~wrong].to_numpy(), ids[~wrong])))
            counts.update({"wrong": int(wrong.sum()), "empty": len(frame) - len(full)})
            rows += len(frame)
    return (
        f"{counts['new']:,} new, {counts['corrected']:,} corrected; left out: "
        f"{counts['repeated']:,} repeated, {counts['unknown']:,} of unknown predictions, "
        f"{counts['wrong']:,} wrong{example}, {counts['empty']:,} empty"
    )


def _converted(
    values: pd.Series, project: Project, schema: Schema, classes: Sequence[str]
) -> tuple[pd.Series, pd.Series]:
    """Return labels as the target has them, and which of them it cannot have."""
    kind, wrong = project.definition.problem.target_kind, pd.Series(data=False, index=values.index)
    try:
        actual = convert(values, kind, schema.target_written)
    except ConversionError as error:
        wrong.iloc[error.rows] = True
        actual = convert(values.mask(wrong), kind, schema.target_written)
    return actual, wrong | ~actual.isin(classes) if classes else wrong


def _write_part(log: sa.Engine, actual: pd.Series) -> dict[str, int]:
    """Write labels, by the ids of their predictions; return how many became what."""
    known = find_predictions(log, actual.index.unique().tolist())
    good = actual.index.isin(known.index)
    last = actual[good].groupby(level=0).last()
    before = known["actual"].reindex(last.index)
    written = last[before.isna() | (before != last)]
    write_feedback(log, written, known)
    new = int(before.isna().sum())
    return {
        "new": new,
        "corrected": len(written) - new,
        "repeated": int(good.sum()) - len(written),
        "unknown": int((~good).sum()),
    }
