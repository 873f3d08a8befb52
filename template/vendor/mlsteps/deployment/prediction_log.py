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

BUSY_SECONDS = 2.0  # how long SQLite waits for another writer before it says "locked"
# Drivers wait for minutes for a server that says nothing, unless they are set otherwise.
LIBPQ = {"connect_timeout": 5, "tcp_user_timeout": 5000}  # in s, and once connected in ms
PATIENCE = {"psycopg": LIBPQ, "psycopg2": LIBPQ, "pymysql": {"connect_timeout": 5}}
INSTEAD = "PREDICTION_LOG"  # the environment variable that wins over [serving] log
IDS_AT_ONCE = 500  # in one statement; databases limit its parameters

Rows = list[dict[str, Any]]  # of a table

TABLES = sa.MetaData()
PREDICTIONS = sa.Table(
    "predictions",
    TABLES,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False, index=True),  # UTC
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("prediction", sa.JSON, nullable=False),
    # The id of the champion's prediction, if this is a challenger's.
    sa.Column("shadow_of", sa.String(32), index=True),
)
FEEDBACK = sa.Table(
    "feedback",
    TABLES,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("prediction_id", sa.String(32), nullable=False, index=True),
    sa.Column("at", sa.DateTime, nullable=False),  # UTC
    sa.Column("actual", sa.JSON, nullable=False),
)
SHADOW = PREDICTIONS.alias("shadow")
CHAMPIONS = PREDICTIONS.c.shadow_of.is_(None)
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
    newest_first = (PREDICTIONS.c.at.desc(), PREDICTIONS.c.id)
    query = sa.select(PREDICTIONS, NEWEST_ACTUAL).where(CHAMPIONS)
    query = query.order_by(*newest_first).limit(last)
    if labelled:
        query = query.where(PREDICTIONS.c.id.in_(sa.select(FEEDBACK.c.prediction_id)))
    if version is not None:
        query = query.where(PREDICTIONS.c.version == version)
    if challenger is not None:
        query = (
            query.join(SHADOW, SHADOW.c.shadow_of == PREDICTIONS.c.id)
            .where(SHADOW.c.version == challenger)
            .add_columns(SHADOW.c.prediction.label("shadow"))
        )
    rows = _rows(engine, query)[::-1]
    ids = pd.Index([row.id for row in rows], name="id", dtype="str")
    metadata = [(row.at, row.version, row.actual) for row in rows]
    columns = pd.DataFrame(metadata, ids, ["at", "version", "actual"], dtype=object)
    return LoggedPredictions(
        columns.astype({"at": "datetime64[us]", "version": "str"}),
        pd.DataFrame([row.inputs for row in rows], ids),
        pd.DataFrame([row.prediction for row in rows], ids),
        pd.DataFrame([row.shadow for row in rows] if challenger else None, ids),
    )


def find_predictions(engine: sa.Engine, ids: Sequence[str]) -> pd.DataFrame:
    """Return ``at`` and ``actual`` of those of `ids` that the log knows; the index is the id."""
    rows: list[Any] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = PREDICTIONS.c.id.in_(ids[start : start + IDS_AT_ONCE])
        rows += _rows(
            engine, sa.select(PREDICTIONS.c.id, PREDICTIONS.c.at, NEWEST_ACTUAL).where(some)
        )
    index = pd.Index([row.id for row in rows], dtype="str")
    at = pd.Series([row.at for row in rows], index, dtype="datetime64[us]")
    return pd.DataFrame({"at": at, "actual": pd.Series([r.actual for r in rows], index, object)})


def count_predictions(
    engine: sa.Engine, version: str | None = None, since: datetime | None = None
) -> tuple[int, int]:
    """Count predictions of a version, and those of them with a true label, known since a time."""
    known = sa.select(FEEDBACK.c.prediction_id)
    if since is not None:
        known = known.where(FEEDBACK.c.at > since)
    made = sa.select(sa.func.count()).select_from(PREDICTIONS).where(CHAMPIONS)
    if version is not None:
        made = made.where(PREDICTIONS.c.version == version)
    queries = (made, made.where(PREDICTIONS.c.id.in_(known)))
    ((one, other),) = _rows(engine, sa.select(*(query.scalar_subquery() for query in queries)))
    return int(one), int(other)


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
            TABLES.create_all(engine)
            first = [row["id"] for row in rows.get(PREDICTIONS, [])[:1]]
            if len(find_predictions(engine, first)):
                return False
        with engine.begin() as connection:
            for table, new in rows.items():
                if new:
                    connection.execute(table.insert(), new)
    return True


def write_feedback(engine: sa.Engine, actual: Iterable[tuple[str, Any]], at: datetime) -> None:
    """Add true labels, pairs of the id of a prediction and a value, all or none (time in UTC)."""
    rows = [{"prediction_id": key, "at": at, "actual": json.dumps(value)} for key, value in actual]
    write_rows(engine, {FEEDBACK: rows})


def why(error: Exception) -> str:
    """Say in a few words what a database complained of, without the statement and the rows."""
    origin = getattr(error, "orig", None) or error
    lines = str(origin).splitlines() if origin is not error else []
    return ": ".join([type(origin).__name__, *lines[:1]])


def _json(value: Any) -> str:
    """Write JSON; NaN and infinity, which it does not have, become null."""
    return to_json(value, inf_nan_mode="null").decode()


def _rows(engine: sa.Engine, query: sa.Select[Any]) -> Sequence[Any]:
    with _one_sentence():
        TABLES.create_all(engine)
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
