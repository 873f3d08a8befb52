"""Store the rows of a source: all of them, or the stored ones with those that are new.

What comes is spooled to a folder that is gone afterwards, since its columns may still change. When
all is there, data.parquet is replaced in one rename: until then the last good data stays.
"""

import shutil
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ..errors import UserError
from ..files import replacing
from .arrow import TEXT, bring, common_schema
from .stream import Stream

SPOOL = ".spool.tmp"
KEY = b"source"
GROUP_ROWS = 1 << 17  # so that the same rows give the same file, however they came
DATE = r"^\d{4}-\d{2}-\d{2}"  # texts that begin so are in the order of their times


class Stored(NamedTuple):
    """The stored rows that an incremental load adds to."""

    rows: int
    greatest: Any  # value of the cursor


def find_stored(path: Path, stream: Stream) -> Stored | None:
    """Return what is stored of a source already; None if all its rows are wanted."""
    if not stream.cursor:
        return None
    try:
        about = parquet.read_metadata(path)
        if (about.metadata or {}).get(KEY) != stream.key.encode():
            return None
        column = parquet.read_table(path, columns=[stream.cursor])[stream.cursor]
    except (OSError, pa.ArrowException, KeyError):
        return None
    return Stored(about.num_rows, pc.max(column).as_py())


def store(path: Path, stream: Stream, tables: Iterator[pa.Table], *, add: bool) -> None:
    """Replace `path` by the rows of `tables`, or add them to the rows that it has.

    Stored rows whose cursor is at or above the least that comes are left out: they come again.

    Raises
    ------
    UserError
        If there are no rows at all, or their cursor cannot be put in order.
    """
    spool = path.parent / SPOOL
    schemas, lowest = [parquet.read_schema(path)] if add else [], []

    def watched() -> Iterator[pa.Table]:
        for table in tables:
            schemas.append(table.schema)
            if stream.cursor and table.num_rows:
                check_grows(table, stream.cursor)
                lowest.append(pc.min(table[stream.cursor]).as_py())
            yield table

    coming = watched()
    first = list(islice(coming, 2))
    try:
        shutil.rmtree(spool, ignore_errors=True)  # of a collection that was killed
        new = first if len(first) < 2 else _spooled(chain(first, coming), spool)
        schema = common_schema(schemas)
        stored = _stored(path, stream.cursor, min(lowest, default=None)) if add else ()
        _write(path, stream, schema, chain(stored, new))
    finally:
        shutil.rmtree(spool, ignore_errors=True)


def _spooled(tables: Iterable[pa.Table], folder: Path) -> Iterator[pa.Table]:
    """Put tables on disk until the last has come, so that memory holds one at a time."""
    folder.mkdir(parents=True)
    files = []
    for number, table in enumerate(tables):
        files.append(folder / f"{number:06}.arrow")
        with pa.ipc.new_file(str(files[-1]), table.schema) as writer:
            writer.write_table(table, max_chunksize=GROUP_ROWS)
    return (_read(file) for file in files)


def _read(file: Path) -> pa.Table:
    with pa.OSFile(str(file)) as source, pa.ipc.open_file(source) as reader:
        return reader.read_all()


def _stored(path: Path, cursor: str, bound: Any) -> Iterator[pa.Table]:
    """Yield the stored rows, but those that come again."""
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(GROUP_ROWS):
            table = pa.Table.from_batches([batch])
            if bound is not None:
                column = table[cursor]
                table = table.filter(pc.less(column, pa.scalar(bound).cast(column.type)))
            yield table


def _write(path: Path, stream: Stream, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    rows = 0
    # Only texts repeat enough for a dictionary to be worth the time that it takes.
    texts = [column.name for column in schema if column.type == TEXT]
    with (
        replacing(path) as temporary,
        parquet.ParquetWriter(
            temporary, schema.with_metadata({KEY: stream.key}), use_dictionary=texts
        ) as writer,
    ):
        for table in _regrouped(bring(table, schema) for table in tables):
            writer.write_table(table)
            rows += table.num_rows
        if not rows:
            raise UserError(f"{stream.sources[0].name} has no rows; nothing was changed.")


def check_grows(table: pa.Table, name: str) -> None:
    """Refuse rows that cannot be put in the order of the cursor."""
    if name not in table.column_names:
        raise UserError(
            f'[data] cursor is "{name}", a column that the source does not have; it has '
            f"{', '.join(table.column_names[:10])}."
        )
    column = table[name]
    if column.null_count:
        raise UserError(
            f'[data] cursor "{name}" is missing in {column.null_count:,} rows; a column that tells '
            "which rows are new needs a value in each."
        )
    text = pa.types.is_string(column.type)
    if text and not pc.all(pc.match_substring_regex(column, DATE)).as_py():
        raise UserError(
            f'[data] cursor "{name}" holds texts; a column that grows is a number or a time.'
        )


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows in tables of the same size, but for the last."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        if count >= GROUP_ROWS:
            whole = pa.concat_tables(waiting)
            full = count - count % GROUP_ROWS
            for start in range(0, full, GROUP_ROWS):
                yield whole.slice(start, GROUP_ROWS).combine_chunks()
            waiting, count = [whole.slice(full)], count - full
    if count:
        yield pa.concat_tables(waiting).combine_chunks()
