"""The source is a database: a table, or a query in a file."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..database import connected, database_url, names_file, open_database
from ..errors import UserError
from ..problem.sources import SqlData as Data
from . import postgresql
from .apart import Stop, read_apart
from .arrow import from_rows, plain_table
from .postgresql import Statement
from .provenance import Source, quoted, without_secrets
from .stream import Stream, digest

KEY = "[data] url"
CHUNK_ROWS = 100_000  # held as Python's values at a time
CONNECT_SECONDS = 10
# What a session is told about time, in milliseconds. Other databases are interrupted.
LIMITS = {
    "mysql": "SET @none = 0 /*!50708 , SESSION max_execution_time = {:.0f} */",  # since 5.7.8
    "mariadb": "SET SESSION max_statement_time = {:.0f} / 1000",
}
CONNECT = {
    "mysql": {"connect_timeout": CONNECT_SECONDS},
    "mariadb": {"connect_timeout": CONNECT_SECONDS},
    "sqlite": {"timeout": CONNECT_SECONDS},
}
DENIED = ("password", "access denied", "authentication", "login failed", "logon denied")


def open_stream(data: Data, root: Path, cache: Path) -> Stream:
    """Return the table or query that ``[data]`` names, as a source."""
    url = database_url(data.url, KEY, root)
    if names_file(url) and not Path(str(url.database)).is_file():
        raise UserError(f"{KEY} names a database file that does not exist: {url.database}.")
    query = _query(data, root)
    what = f"query {data.query}" if query else f"table {data.table}"
    shown = without_secrets(url.render_as_string(hide_password=True))

    def read(since: Any) -> Iterator[pa.Table]:
        statement = _statement(data, query, since)
        with _sentences(url, data, shown, what):
            seconds = data.timeout_seconds
            fetch = partial(_read, url, statement, seconds)
            if url.get_backend_name() == "postgresql":
                fetch = partial(postgresql.read, url, statement, seconds, CONNECT_SECONDS)
            for table in read_apart(fetch, seconds):
                yield plain_table(table, data.missing)

    return Stream(
        read,
        sources=[
            Source(f"{shown}, {what}", note=f"new by {data.cursor}" if data.cursor else "whole")
        ],
        key=digest(data.model_dump(), shown, query),
        cursor=data.cursor,
    )


def _query(data: Data, root: Path) -> str:
    """Return the text of the query; "" if a table is read."""
    if not data.query:
        return ""
    try:
        text = (root / data.query).read_text(encoding="utf-8").strip().rstrip(";")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UserError(f"[data] query {data.query} cannot be read: {reason}.") from None
    if not text:
        raise UserError(f"[data] query {data.query} is empty; write a SELECT into it.")
    wanted = set(sa.text(text).compile().params)
    if wanted != set(data.parameters):
        raise UserError(
            f"[data] query {data.query} has the parameters {_listed(wanted)}, but [data] "
            f"parameters gives {_listed(set(data.parameters))}; a colon that begins none is "
            r"written \:."
        )
    return text


def _listed(names: set[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names)) or "none"


def _statement(data: Data, query: str, since: Any) -> Statement:
    if query and not data.cursor:
        return sa.text(query).bindparams(**data.parameters)
    schema, _, name = data.table.rpartition(".")
    origin = (
        sa.text(f"(\n{query}\n) collected").bindparams(**data.parameters)
        if query
        else sa.table(name, schema=schema or None)
    )
    selected: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(origin)
    if not data.cursor:
        return selected
    column: sa.ColumnClause[Any] = sa.column(data.cursor)
    if since is not None:  # rows without a value are asked for as well, to be refused
        selected = selected.where((column >= _before(since, data.overlap)) | column.is_(None))
    return selected.order_by(column)


def _before(since: Any, overlap: float) -> Any:
    """Return the value from which on rows are read again, for those that were written late."""
    if not overlap:
        return since
    if isinstance(since, str):
        written = datetime.fromisoformat(since) - timedelta(seconds=overlap)
        return written.isoformat(sep=since[10:11] or " ")
    return since - (timedelta(seconds=overlap) if isinstance(since, datetime) else overlap)


def _read(
    url: sa.URL, statement: Statement, seconds: float, stop_with: Callable[[Stop], None]
) -> Iterator[pa.Table]:
    """Read rows through SQLAlchemy, so many at a time."""
    backend = url.get_backend_name()
    arguments = CONNECT.get(backend, {})
    engine = open_database(url, KEY, connect_args=arguments, poolclass=sa.NullPool)
    with connected(engine, KEY).execution_options(stream_results=True) as connection:
        driver = connection.connection.driver_connection
        if stop := getattr(driver, "interrupt", getattr(driver, "cancel", None)):
            stop_with(stop)
        kind = "mariadb" if getattr(engine.dialect, "is_mariadb", False) else backend
        if kind in LIMITS:  # which of the two answers, the URL need not say
            connection.exec_driver_sql(LIMITS[kind].format(1000 * seconds))
        # The rows are closed before the connection, which would complain of those that are left.
        with connection.execute(statement) as result:
            if not result.returns_rows:
                raise UserError("[data] query gives no rows; write a SELECT, and nothing else.")
            names = list(result.keys())
            empty = True
            for rows in result.partitions(CHUNK_ROWS):
                yield from_rows(rows, names)
                empty = False
            if empty:
                yield from_rows([], names)


@contextmanager
def _sentences(url: sa.URL, data: Data, shown: str, what: str) -> Iterator[None]:
    """Say what went wrong in one sentence without secrets."""
    started = time.monotonic()
    try:
        yield
    except (SQLAlchemyError, postgresql.Error, pa.ArrowException, OSError) as error:
        reason = _reason(error)
        if time.monotonic() - started >= data.timeout_seconds:
            raise UserError(
                f"{shown} did not give {what} within [data] timeout_seconds = "
                f"{data.timeout_seconds:g}; raise it, or ask for fewer rows."
            ) from None
        if not _connecting(error):
            raise UserError(
                f"{shown} does not give {what}: {reason}; correct [data] in project.toml, or the "
                "query."
            ) from None
        if any(word in reason.lower() for word in DENIED):
            raise UserError(
                f'{shown} refuses the user "{url.username or ""}" ({reason}); correct the user and '
                f"the password in the URL that {KEY} names, or have the right granted."
            ) from None
        raise UserError(
            f"{shown} does not answer ({reason}); correct the URL that {KEY} names, or start the "
            "database."
        ) from None


def _connecting(error: Exception) -> bool:
    """Tell whether the error came before any statement."""
    if isinstance(error, SQLAlchemyError):
        return getattr(error, "statement", None) is None
    return isinstance(error, FileNotFoundError) or postgresql.CONNECTING in str(error)


def _reason(error: Exception) -> str:
    """Return what the database said, in a line without secrets."""
    given = getattr(error, "orig", None) or error
    number, *text = getattr(given, "args", ()) or (None,)
    said = str(text[0] if isinstance(number, int) and text else given).strip()  # as MySQL has it
    line = (said.splitlines() or [type(error).__name__])[0]
    line = re.sub(r"^.*(Failed to connect: |ERROR:\s+|FATAL:\s+)", "", line).rstrip(". ")
    return quoted(line)
