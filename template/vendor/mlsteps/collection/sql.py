"""The source is a database: a table, or a query in a file."""

import math
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_manager import Error as PostgresqlError
from adbc_driver_postgresql import dbapi
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError

from ..database import database_url, names_file, open_database
from ..errors import UserError
from ..problem.sources import SqlData as Data
from .arrow import from_rows, plain_table
from .stream import Source, Stream, digest, quoted, without_secrets

Statement = sa.Select[Any] | sa.TextClause

KEY = "[data] url"
CHUNK_ROWS = 100_000  # held as Python's values at a time
CONNECT_SECONDS = 10
CANCELED = "canceling statement due to user request"  # as PostgreSQL has it
LITERALS = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


def open_stream(data: Data, root: Path, cache: Path) -> Stream:
    """Return the table or query that ``[data]`` names, as a source."""
    url = database_url(data.url, KEY, root)
    if names_file(url) and not Path(str(url.database)).is_file():
        raise UserError(f"{KEY} names a database file that does not exist: {url.database}.")
    query = _query(data, root)
    what = f"query {data.query}" if query else f"table {data.table}"
    shown = without_secrets(url.render_as_string(hide_password=True))
    read_tables = _read_postgresql if url.get_backend_name() == "postgresql" else _read

    def read(since: Any) -> Iterator[pa.Table]:
        statement = _statement(data, query, since)
        until = time.monotonic() + data.timeout_seconds
        try:
            for table in read_tables(url, statement, data.timeout_seconds):
                yield plain_table(table, data.missing)
        except (SQLAlchemyError, PostgresqlError, pa.ArrowException, OSError) as error:
            if CANCELED in str(error):  # the driver took Ctrl-C for itself
                raise KeyboardInterrupt from None
            if time.monotonic() > until:
                raise UserError(
                    f"{shown} did not give {what} within [data] timeout_seconds = "
                    f"{data.timeout_seconds:g}; raise it, or ask for fewer rows."
                ) from None
            raise UserError(
                f"{shown} does not give {what}: {_reason(error)}; correct [data] in project.toml, "
                "the query, or the URL in the environment."
            ) from None

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
    used, given = set(sa.text(text).compile().params), set(data.parameters)
    if used != given:
        raise UserError(
            f"[data] query {data.query} has the parameters {sorted(used)}, but [data] parameters "
            rf"gives {sorted(given)}; a colon that begins none is written \:."
        )
    return text


def _statement(data: Data, query: str, since: Any) -> Statement:
    bound = sa.text(f"(\n{query}\n) collected" if data.cursor else query)
    bound = bound.bindparams(**data.parameters)
    if query and not data.cursor:
        return bound
    schema, _, name = data.table.rpartition(".")
    origin = bound if query else sa.table(name, schema=schema or None)
    selected: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(origin)
    if not data.cursor:
        return selected
    column: sa.ColumnClause[Any] = sa.column(data.cursor)
    if since is not None:  # rows without a value are selected as well, to be refused
        selected = selected.where((column >= _before(since, data.overlap)) | column.is_(None))
    return selected.order_by(column)


def _before(since: Any, overlap: float) -> Any:
    """Return the value from which on rows are read again, for those that were written late."""
    if not overlap:
        return since
    if isinstance(since, str):
        written = datetime.fromisoformat(since) - timedelta(seconds=overlap)
        return written.isoformat(sep=since[10:11] or " ")[: len(since)]  # as exact as the others
    if isinstance(since, int):  # a fraction would round a large one up
        return since - math.ceil(overlap)
    return since - (timedelta(seconds=overlap) if isinstance(since, datetime) else overlap)


def _read(url: sa.URL, statement: Statement, seconds: float) -> Iterator[pa.Table]:
    """Read rows through SQLAlchemy, so many at a time."""
    limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": max(1, round(seconds))}
    arguments = limits if url.get_backend_name() in {"mysql", "mariadb"} else {}
    engine = open_database(url, KEY, connect_args=arguments, poolclass=sa.NullPool)
    try:
        connection = engine.connect().execution_options(stream_results=True)
    except TypeError as error:
        raise UserError(f"{KEY} has an option that its driver does not know: {error}.") from None
    driver: Any = connection.connection.driver_connection
    until = time.monotonic() + seconds

    def in_thread(call: Callable[..., Any], argument: Any) -> Any:
        """Call the driver so that neither Ctrl-C nor the time limit waits for it."""
        called = thread.submit(call, argument)
        try:
            return called.result(until - time.monotonic())
        except (TimeoutError, KeyboardInterrupt):
            getattr(driver, "interrupt", getattr(driver, "cancel", driver.close))()
            wait([called])
            raise

    # The rows are closed before the connection, which would complain of those that are left.
    with (
        connection,
        ThreadPoolExecutor(1) as thread,
        in_thread(connection.execute, statement) as result,
    ):
        if not result.returns_rows:
            raise UserError("[data] query gives no rows; write a SELECT, and nothing else.")
        names = list(result.keys())
        yield from_rows([], names)  # the columns, also where there are no rows
        while rows := in_thread(result.fetchmany, CHUNK_ROWS):
            yield from_rows(rows, names)


def _read_postgresql(url: sa.URL, statement: Statement, seconds: float) -> Iterator[pa.Table]:
    """Read rows by the driver for Arrow, several times as fast as through Python's values."""
    address = url.set(drivername="postgresql")
    if "connect_timeout" not in address.query:
        address = address.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    text = str(statement.compile(dialect=LITERALS, compile_kwargs={"literal_binds": True}))
    with (
        dbapi.connect(address.render_as_string(hide_password=False), autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SET statement_timeout = {1000 * seconds:.0f}")
        cursor.execute("SET default_transaction_read_only = on")  # a query may only read
        cursor.execute(text)
        reader = cursor.fetch_record_batch()
        yield reader.schema.empty_table()
        for batch in reader:  # of 16 MiB
            yield pa.Table.from_batches([batch])


def _reason(error: Exception) -> str:
    """Return what the database said, in a line without secrets."""
    given = getattr(error, "orig", None) or error
    line = (str(given).strip().splitlines() or [type(error).__name__])[0]
    line = re.sub(r"^.*(Failed to connect: |ERROR:\s+|FATAL:\s+)", "", line).rstrip(". ")
    return quoted(line)
