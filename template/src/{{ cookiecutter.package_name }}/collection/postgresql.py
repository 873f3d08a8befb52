"""Read PostgreSQL by its driver for Arrow, which copies rows as they are stored.

No row becomes Python's values on the way, so that millions take seconds.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_manager import Error
from adbc_driver_postgresql import dbapi
from sqlalchemy.dialects import postgresql

__all__ = ["CONNECTING", "Error", "Statement", "read"]

Statement = sa.Select[Any] | sa.TextClause

CHUNK_ROWS = 250_000
CONNECTING = "Failed to connect"  # stands in the text of an error that came before a statement


def read(
    url: sa.URL, statement: Statement, seconds: float, connect_seconds: int
) -> Iterator[pa.Table]:
    """Read the rows of a statement in chunks.

    Parameters
    ----------
    url
        Of the database; which of SQLAlchemy's drivers it names makes no difference.
    statement
        What to select. Its parameters become literals, because the driver copies no statement that
        has some.
    seconds
        How long the statement may run.
    connect_seconds
        How long the server may take to answer at all.

    Raises
    ------
    Error
        If the database does not answer, or not with rows.
    """
    address = url.set(drivername="postgresql")
    if "connect_timeout" not in address.query:
        address = address.update_query_dict({"connect_timeout": str(connect_seconds)})
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    with (
        dbapi.connect(address.render_as_string(hide_password=False), autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SET statement_timeout = {1000 * seconds:.0f}")
        cursor.execute(text)
        reader = cursor.fetch_record_batch()
        waiting, rows = [], 0
        for batch in reader:
            waiting.append(batch)
            rows += batch.num_rows
            if rows >= CHUNK_ROWS:
                yield pa.Table.from_batches(waiting)
                waiting, rows = [], 0
        yield pa.Table.from_batches(waiting, reader.schema)
