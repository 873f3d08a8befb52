"""The log of predictions: the rows, what was predicted of them, and their true labels."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError

from ..database import database_url, open_database
from ..environment import FROM_ENVIRONMENT
from ..errors import UserError
from ..files import PRIVATE
from ..problem.project import Project
from .log_tables import CHAMPIONS, FEEDBACK, PREDICTIONS, bring_up_to_date, create_tables

BUSY_SECONDS = 2.0  # how long SQLite waits for another writer before it says "locked"
# Drivers wait for minutes for a server that says nothing, unless they are set otherwise.
LIBPQ = {"connect_timeout": 5, "tcp_user_timeout": 5000}  # in s, and once connected in ms
PATIENCE = {"psycopg": LIBPQ, "psycopg2": LIBPQ, "pymysql": {"connect_timeout": 5}}
INSTEAD = "PREDICTION_LOG"  # the environment variable that wins over [serving] log
IDS_AT_ONCE = 500  # in one statement; databases limit its parameters
ROWS_AT_ONCE = 20_000  # in memory, where all are read
MOST_COUNTED = 1_000_000

Rows = list[dict[str, Any]]  # of a table

SHADOW = PREDICTIONS.alias("shadow")
NEWEST_ACTUAL = (
    sa.select(FEEDBACK.c.actual)
    .where(FEEDBACK.c.prediction_id == PREDICTIONS.c.id)
    .order_by(FEEDBACK.c.number.desc())
    .limit(1)
    .scalar_subquery()
    .label("actual")
)


@dataclass(frozen=True)
class LoggedPredictions:
    """Predictions from the log, the oldest first; the index of each frame is the id.

    Attributes
    ----------
    metadata : DataFrame of n rows
        ``at`` (UTC), ``version`` and ``actual``: the newest feedback, None where there is none.
    inputs : DataFrame of n rows
        The rows, as they were given.
    predictions : DataFrame of n rows
        ``prediction`` and what came with it.
    shadow : DataFrame of n rows, or none
        What the challenger predicted, if those were read.
    """

    metadata: pd.DataFrame
    inputs: pd.DataFrame
    predictions: pd.DataFrame
    shadow: pd.DataFrame

    def __len__(self) -> int:
        """Return the number of predictions."""
        return len(self.metadata)


@contextmanager
def open_log(project: Project) -> Iterator[sa.Engine]:
    """Open ``[serving] log``, for the functions of this module; close its connections at the end.

    The environment variable ``PREDICTION_LOG`` wins, so that one project.toml does for a machine of
    one's own and for containers, whose database is elsewhere.

    Parameters
    ----------
    project : Project
        Its definition names the log.

    Raises
    ------
    UserError
        If it is no URL of a database, holds a password, or its driver is not installed.

    Examples
    --------
    >>> from mlsteps import open_project
    >>> with open_log(open_project()) as log:
    ...     read_predictions(log).predictions
    Empty DataFrame
    Columns: []
    Index: []
    """
    engine = log_engine(project)
    try:
        yield engine
    finally:
        engine.dispose()


def log_url(project: Project) -> tuple[sa.URL, str]:
    """Return where the log is, and what messages call the setting of it."""
    given, key = project.definition.serving.log, "[serving] log"
    if os.environ.get(INSTEAD):
        given, key = FROM_ENVIRONMENT + INSTEAD, "the deployment"
    return database_url(given, key, project.root), key


def log_engine(project: Project) -> sa.Engine:
    """Return the engine of the log; nothing is connected yet, and the caller disposes it."""
    url, key = log_url(project)
    options: dict[str, Any] = {"json_serializer": str}  # rows come with JSON as text
    if url.get_backend_name() != "sqlite":
        known = PATIENCE.get(url.drivername.partition("+")[2], {})
        patience = {name: value for name, value in known.items() if name not in url.query}
        return open_database(url, key, pool_pre_ping=True, connect_args=patience, **options)
    engine = open_database(url, key, connect_args={"timeout": BUSY_SECONDS}, **options)
    sa.event.listen(engine, "do_connect", _keep_private)
    sa.event.listen(engine, "connect", _write_ahead)
    return engine


def read_predictions(
    engine: sa.Engine,
    version: str | None = None,
    last: int | None = None,
    *,
    labelled: bool = False,
    challenger: str | None = None,
    since: datetime | None = None,
) -> LoggedPredictions:
    """Read predictions from the log.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `open_log`.
    version : str, optional
        Only those of this version.
    last : int, optional
        Only the newest so many.
    labelled : bool
        Only those whose true label is known.
    challenger : str, optional
        Only those of rows that this version has predicted in the shadow of the champion.
    since : datetime, optional
        Only those made since then (UTC).

    Returns
    -------
    LoggedPredictions
        All of one request or file have the same time, and are ordered by their ids: how its rows
        are sorted is not to look like a change in time.

    Raises
    ------
    UserError
        If the database does not answer.

    Examples
    --------
    >>> from mlsteps import open_project
    >>> with open_log(open_project()) as log:
    ...     len(read_predictions(log, last=100))
    0
    """
    _bring_up_to_date(engine)
    query: sa.Select[Any] = sa.select(PREDICTIONS, NEWEST_ACTUAL).where(CHAMPIONS)
    shadow = sa.and_(SHADOW.c.shadow_of == PREDICTIONS.c.id, SHADOW.c.version == challenger)
    if challenger is not None:
        query = query.join(SHADOW, shadow).add_columns(SHADOW.c.prediction.label("shadow"))
    if labelled:
        known = _labelled(version, since, challenger)
        newest = known.order_by(sa.desc("at"), sa.desc("id")).limit(last).subquery()
        query = query.join(newest, newest.c.id == PREDICTIONS.c.id)
        query = query.order_by(newest.c.at.desc(), newest.c.id.desc())
    else:
        query = query.order_by(PREDICTIONS.c.at.desc(), PREDICTIONS.c.id.desc()).limit(last)
        if version is not None:
            query = query.where(PREDICTIONS.c.version == version)
        if since is not None:
            query = query.where(PREDICTIONS.c.at >= since)
    return _logged(_rows(engine, query)[::-1])


def read_labelled(engine: sa.Engine) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield `metadata` and `inputs` of all with a true label, the oldest first, some at a time."""
    _bring_up_to_date(engine)
    known = _labelled().order_by("at", "id").subquery()
    table = PREDICTIONS.c
    query = sa.select(table.id, table.at, table.version, table.inputs, NEWEST_ACTUAL)
    query = (
        query.where(CHAMPIONS)
        .join(known, known.c.id == PREDICTIONS.c.id)
        .order_by(known.c.at, known.c.id)
    )
    with _one_sentence(), engine.connect() as connection:
        streamed = connection.execution_options(yield_per=ROWS_AT_ONCE)
        for rows in streamed.execute(query).partitions():
            metadata = _metadata(rows)
            yield metadata, pd.DataFrame([row.inputs for row in rows], metadata.index)


def find_predictions(engine: sa.Engine, ids: Sequence[str]) -> pd.DataFrame:
    """Return `at`, `version` and `actual` of those of `ids` that the log knows, by the id."""
    rows: list[Any] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = PREDICTIONS.c.id.in_(ids[start : start + IDS_AT_ONCE])
        columns = (PREDICTIONS.c.id, PREDICTIONS.c.at, PREDICTIONS.c.version, NEWEST_ACTUAL)
        rows += _rows(engine, sa.select(*columns).where(some))
    return _metadata(rows)


def count_predictions(engine: sa.Engine, version: str | None = None) -> tuple[int, int]:
    """Count predictions, and those of them with a true label; none beyond `MOST_COUNTED` + 1."""
    _bring_up_to_date(engine)
    made = sa.select(PREDICTIONS.c.id).where(CHAMPIONS)
    if version is not None:
        made = made.where(PREDICTIONS.c.version == version)
    return _count(engine, made), _count(engine, _labelled(version))


def count_labels(engine: sa.Engine, since: datetime) -> int:
    """Count the predictions that got a true label since a time (UTC)."""
    _bring_up_to_date(engine)
    # No condition that another index than that of the time could meet: it would be read whole.
    known = sa.case((FEEDBACK.c.predicted_at.is_not(None), FEEDBACK.c.prediction_id))
    counted = sa.select(sa.func.count(known.distinct())).where(FEEDBACK.c.at > since)
    return int(_rows(engine, counted)[0][0])


def in_words(count: int) -> str:
    """Write what `count_predictions` has counted."""
    return f"more than {MOST_COUNTED:,}" if count > MOST_COUNTED else f"{count:,}"


def records(frame: pd.DataFrame) -> Rows:
    """Return rows as JSON has them: missing is None, a date is text, a duration its seconds."""
    plain = frame.astype(object).where(frame.notna(), None)
    for name in frame.select_dtypes("datetime"):
        plain[name] = frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S").where(frame[name].notna(), None)
    for name in frame.select_dtypes("timedelta"):
        plain[name] = frame[name].dt.total_seconds().where(frame[name].notna(), None)
    return plain.to_dict("records")


def prediction_rows(
    version: str,
    inputs: Iterable[dict[str, Any]],
    predictions: Mapping[str, dict[str, Any]],
    at: datetime | None = None,
) -> Rows:
    """Return predictions, by their ids, as rows of their table; all have the same time (UTC)."""
    at = at or datetime.now(UTC).replace(tzinfo=None)
    same = {"at": at, "version": version, "shadow_of": None}
    return [
        {"id": key, **same, "inputs": _json(row), "prediction": _json(prediction)}
        for row, (key, prediction) in zip(inputs, predictions.items(), strict=True)
    ]


def shadow_rows(version: str, predictions: Mapping[str, dict[str, Any]]) -> Rows:
    """Return what a challenger predicted, by the ids of the champion's, as rows of the table."""
    rows = prediction_rows(version, [{}] * len(predictions), predictions)
    return [row | {"id": uuid4().hex, "shadow_of": row["id"]} for row in rows]


def write_rows(engine: sa.Engine, rows: Mapping[sa.Table, Rows], *, once: bool = False) -> bool:
    """Add rows of each table, all or none, and return whether it was done.

    With `once` it is not, if the log has the first of the predictions already; it may be new.
    """
    with _one_sentence():
        if once:
            create_tables(engine)
            first = [row["id"] for row in rows.get(PREDICTIONS, [])[:1]]
            if len(find_predictions(engine, first)):
                return False
        with engine.begin() as connection:
            for table, new in rows.items():
                if new:
                    connection.execute(table.insert(), new)
    return True


def write_feedback(engine: sa.Engine, actual: pd.Series, known: pd.DataFrame) -> None:
    """Add true labels, by the ids of predictions that are `known`, all or none."""
    _bring_up_to_date(engine)
    now, known = datetime.now(UTC).replace(tzinfo=None), known.loc[actual.index]
    columns = zip(actual.items(), known["version"], known["at"].dt.to_pydatetime(), strict=True)
    rows = [
        {
            "prediction_id": key,
            "at": now,
            "actual": json.dumps(value),
            "version": version,
            "predicted_at": at,
        }
        for (key, value), version, at in columns
    ]
    write_rows(engine, {FEEDBACK: rows})


def why(error: Exception) -> str:
    """Say in a few words what a database complained of, without the statement and the rows."""
    origin = getattr(error, "orig", None) or error
    lines = str(origin).splitlines() if origin is not error else []
    return ": ".join([type(origin).__name__, *lines[:1]])


def _json(value: Any) -> str:
    """Write JSON; NaN and infinity, which it does not have, become null."""
    return to_json(value, inf_nan_mode="null").decode()


def _labelled(
    version: str | None = None, since: datetime | None = None, challenger: str | None = None
) -> sa.Select[Any]:
    """Return the query for ``at`` and ``id`` of the predictions whose true label is known."""
    columns = FEEDBACK.c.predicted_at.label("at"), FEEDBACK.c.prediction_id.label("id")
    query = sa.select(*columns).where(FEEDBACK.c.predicted_at.is_not(None)).distinct()
    if version is not None:
        query = query.where(FEEDBACK.c.version == version)
    if since is not None:
        query = query.where(FEEDBACK.c.predicted_at >= since)
    if challenger is not None:
        query = query.join(SHADOW, SHADOW.c.shadow_of == FEEDBACK.c.prediction_id)
        query = query.where(SHADOW.c.version == challenger)
    return query


def _count(engine: sa.Engine, query: sa.Select[Any]) -> int:
    some = query.limit(MOST_COUNTED + 1).subquery()
    return int(_rows(engine, sa.select(sa.func.count()).select_from(some))[0][0])


def _logged(rows: Sequence[Any]) -> LoggedPredictions:
    metadata = _metadata(rows)
    return LoggedPredictions(
        metadata,
        pd.DataFrame([row.inputs for row in rows], metadata.index),
        pd.DataFrame([row.prediction for row in rows], metadata.index),
        pd.DataFrame(
            [row.shadow for row in rows if hasattr(row, "shadow")] or None, metadata.index
        ),
    )


def _metadata(rows: Sequence[Any]) -> pd.DataFrame:
    ids = pd.Index([row.id for row in rows], name="id", dtype="str")
    columns = [(row.at, row.version, row.actual) for row in rows]
    frame = pd.DataFrame(columns, ids, ["at", "version", "actual"], dtype=object)
    return frame.astype({"at": "datetime64[us]", "version": "str"})


def _bring_up_to_date(engine: sa.Engine) -> None:
    with _one_sentence():
        bring_up_to_date(engine)


def _rows(engine: sa.Engine, query: sa.Select[Any]) -> Sequence[Any]:
    with _one_sentence():
        create_tables(engine)
        with engine.connect() as connection:
            return connection.execute(query).all()


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Say in a sentence that the database does not answer."""
    try:
        yield
    except SQLAlchemyError as error:
        raise UserError(f"The prediction log does not answer ({why(error)}); try again.") from None


def _keep_private(_: Any, __: Any, arguments: Sequence[str], ___: Any) -> None:
    """Make a file that only its owner can read: it holds the rows of callers."""
    with suppress(OSError):  # it is there, or SQLite says why it cannot be made
        Path(arguments[0]).touch(PRIVATE, exist_ok=False)


def _write_ahead(connection: Any, _: Any) -> None:
    # Readers and the writer do not block each other, and what is committed survives a kill.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
