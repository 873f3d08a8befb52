"""Store the rows of a source: all of them, or the stored ones with those that are new.

What comes is spooled to a folder that is gone afterwards, since its columns may still change. When
all is there, data.parquet is replaced in one rename: until then the last good data stays.
"""

import shutil
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather, parquet
from tqdm import tqdm

from ..errors import UserError
from ..files import PRIVATE
from ..problem.project import SIGN
from .arrow import TEXT, UnreadableError, bring, common_schema
from .stream import Stream, decimal_of

SPOOL = ".spool.tmp"
KEY = b"source"
GROUP_ROWS = 1 << 17
DATE = r"^\d{4}-\d{2}-\d{2}"  # texts that begin so are in the order of their times


def store(path: Path, stream: Stream, *, anew: bool = False) -> int | None:
    """Replace `path` by the rows of a source, or add those that are new since the last time.

    Returns how many rows were stored before, None if none of them counts.
    """
    spool = path.parent / SPOOL
    shutil.rmtree(spool, ignore_errors=True)  # of a collection that was killed
    spool.mkdir(0o700, parents=True)
    try:
        greatest = None if anew else _greatest(path, stream)
        stored = None if greatest is None else parquet.read_metadata(path).num_rows
        schemas = [] if stored is None else [parquet.read_schema(path)]
        files, least = [], []
        for number, table in enumerate(_read(stream, greatest)):
            schemas.append(table.schema)
            files.append(str(spool / f"{number}.arrow"))
            feather.write_feather(table, files[-1], compression="uncompressed")
            if stream.cursor and table.num_rows:
                least.append(pc.min(_cursor(table, stream.cursor)).as_py())
        about = {KEY: stream.key, SIGN: decimal_of(stream.sources)}
        schema = common_schema(schemas).with_metadata(about)
        kept = _kept(path, schema, stream.cursor, least) if stored else ()
        new = (feather.read_table(file, memory_map=False) for file in files)
        _write(spool / path.name, schema, (bring(rows, schema) for rows in chain(kept, new)))
        if not parquet.read_metadata(spool / path.name).num_rows:
            raise UserError(f"{stream.title()} has no rows; nothing was changed.")
        (spool / path.name).chmod(PRIVATE)
        (spool / path.name).replace(path)
    finally:
        shutil.rmtree(spool, ignore_errors=True)
    return stored


def _greatest(path: Path, stream: Stream) -> Any:
    """Return the greatest stored value of the cursor; None if all rows are wanted."""
    try:
        about = parquet.read_metadata(path).metadata or {}
        if not stream.cursor or about.get(KEY) != stream.key.encode():
            return None
        return pc.max(parquet.read_table(path, columns=[stream.cursor])[stream.cursor]).as_py()
    except (OSError, pa.ArrowException):  # there is nothing, or nothing that can be read
        return None


def _read(stream: Stream, since: Any) -> Iterator[pa.Table]:
    """Read a source, and show how far it is."""
    with tqdm(desc="collect", unit=" rows", unit_scale=True, disable=None, leave=False) as bar:
        try:
            for table in stream.read(since):
                yield table
                bar.update(table.num_rows)
        except UnreadableError as error:
            raise UserError(f"{stream.title()} {error}.") from None


def _cursor(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return the column that only grows, if it tells which rows are new."""
    column = table[name] if name in table.column_names else pa.chunked_array([[None]])
    texts = pa.types.is_string(column.type)
    if column.null_count or (texts and not pc.all(pc.match_substring_regex(column, DATE)).as_py()):
        raise UserError(
            f'[data] cursor is "{name}", which does not tell which rows are new: it has to be a '
            "column that only grows, of numbers or times, with a value in each row."
        )
    return column


def _kept(path: Path, schema: pa.Schema, cursor: str, least: list[Any]) -> Iterator[pa.Table]:
    """Yield the stored rows, without those at or above the least that comes: they come again."""
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(GROUP_ROWS):
            table = bring(pa.Table.from_batches([batch]), schema)
            if least:
                column = table[cursor]
                table = table.filter(pc.less(column, pa.scalar(min(least), column.type)))
            yield table


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write rows in groups of one size, so that the same rows give the same file."""
    # Only texts repeat enough for a dictionary to be worth the time that it takes.
    texts = [column.name for column in schema if column.type == TEXT]
    waiting = schema.empty_table()
    with parquet.ParquetWriter(path, schema, use_dictionary=texts) as writer:
        for table in tables:
            waiting = pa.concat_tables([waiting, table])
            while len(waiting) >= GROUP_ROWS:
                writer.write_table(waiting.slice(0, GROUP_ROWS).combine_chunks())
                waiting = waiting.slice(GROUP_ROWS)
        if len(waiting):
            writer.write_table(waiting.combine_chunks())
