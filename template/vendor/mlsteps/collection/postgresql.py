"""Read PostgreSQL by its driver for Arrow, which copies rows as they are stored.

No row becomes Python's values on the way, so that millions take seconds.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_manager import Error
from adbc_driver_postgresql import dbapi
from sqlalchemy.dialects import postgresql

from .apart import Stop

__all__ = ["CONNECTING", "Error", "Statement", "read"]

Statement = sa.Select[Any] | sa.TextClause

CHUNK_ROWS = 100_000
DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
CONNECTING = "Failed to connect"  # stands in the text of an error that came before a statement


def read(
    url: sa.URL,
    statement: Statement,
    seconds: float,
    connect_seconds: int,
    stop_with: Callable[[Stop], None],
) -> Iterator[pa.Table]:
    """Read the rows of a statement in chunks."""
    address = url.set(drivername="postgresql")
    if "connect_timeout" not in address.query:
        address = address.update_query_dict({"connect_timeout": str(connect_seconds)})
    text = str(statement.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
    with (
        dbapi.connect(address.render_as_string(hide_password=False), autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        stop_with(cursor.adbc_cancel)
        cursor.execute(f"SET statement_timeout = {1000 * seconds:.0f}")
        cursor.execute("SET default_transaction_read_only = on")  # a query may only ask
        cursor.execute(_with_floats(text, cursor.adbc_execute_schema(text)))
        reader = cursor.fetch_record_batch()
        waiting, rows = [], 0
        for batch in reader:
            waiting.append(batch)
            rows += batch.num_rows
            if rows >= CHUNK_ROWS:
                yield pa.Table.from_batches(waiting)
                waiting, rows = [], 0
        yield pa.Table.from_batches(waiting, reader.schema)


def _with_floats(text: str, schema: pa.Schema) -> str:
    """Let the server make floats of its numbers of any precision: the driver takes long for them.

    Rows stay in the order of the query, because nothing else is asked of them.
    """
    names = schema.names
    quoted = [DIALECT.identifier_preparer.quote_identifier(name) for name in names]
    columns = [
        f"{name}::float8 AS {name}" if getattr(kind, "type_name", "") == "numeric" else name
        for name, kind in zip(quoted, schema.types, strict=True)
    ]
    if columns == quoted or len(set(names)) < len(names):  # of two alike none can be named
        return text
    return f"SELECT {', '.join(columns)} FROM (\n{text}\n) collected"  # noqa: S608 - quoted names
