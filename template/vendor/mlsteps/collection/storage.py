"""Store the rows of a source: all of them, or the stored ones with those that are new.

What comes is spooled to a folder that is gone afterwards, since its columns may still change. When
all is there, data.parquet is replaced in one rename: until then the last good data stays.
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather, parquet
from tqdm import tqdm

from ..errors import UserError
from .arrow import TEXT, UnreadableError, bring, common_schema
from .stream import Stream

SPOOL = ".spool.tmp"
KEY = b"source"
GROUP_ROWS = 1 << 17
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
        column = parquet.read_table(path, columns=[stream.cursor])[stream.cursor]
    except (OSError, pa.ArrowException, KeyError):
        return None
    same = (about.metadata or {}).get(KEY) == stream.key.encode()
    return Stored(about.num_rows, pc.max(column).as_py()) if same else None


def store(path: Path, stream: Stream, stored: Stored | None = None) -> None:
    """Replace `path` by the rows of a source, or add them to those that are stored.

    Stored rows whose cursor is at or above the least that comes are left out: they come again.
    """
    spool = path.parent / SPOOL
    shutil.rmtree(spool, ignore_errors=True)  # of a collection that was killed
    spool.mkdir(parents=True)
    try:
        files, least = [], []
        schemas = [parquet.read_schema(path)] if stored else []
        for number, table in enumerate(_read(stream, stored.greatest if stored else None)):
            schemas.append(table.schema)
            files.append(spool / f"{number}.arrow")
            feather.write_feather(table, str(files[-1]), compression="uncompressed")
            if stream.cursor and table.num_rows:
                _check_cursor(table, stream.cursor)
                least.append(pc.min(table[stream.cursor]).as_py())
        schema = common_schema(schemas)
        new = (feather.read_table(str(file), memory_map=False) for file in files)
        kept = _kept(path, stream.cursor, min(least, default=None)) if stored else iter(())
        # Only texts repeat enough for a dictionary to be worth the time that it takes.
        texts = [column.name for column in schema if column.type == TEXT]
        with parquet.ParquetWriter(
            spool / path.name, schema.with_metadata({KEY: stream.key}), use_dictionary=texts
        ) as writer:
            for group in _groups(
                (bring(rows, schema) for part in (kept, new) for rows in part), schema
            ):
                writer.write_table(group)
        if not parquet.read_metadata(spool / path.name).num_rows:
            raise UserError(f"{stream.title()} has no rows; nothing was changed.")
        (spool / path.name).replace(path)
    finally:
        shutil.rmtree(spool, ignore_errors=True)


def _read(stream: Stream, since: Any) -> Iterator[pa.Table]:
    """Read a source, and show how far it is."""
    with tqdm(desc="collect", unit=" rows", unit_scale=True, disable=None, leave=False) as bar:
        try:
            for table in stream.read(since):
                yield table
                bar.update(table.num_rows)
        except UnreadableError as error:
            raise UserError(f"{stream.title()} {error}.") from None


def _kept(path: Path, cursor: str, bound: Any) -> Iterator[pa.Table]:
    """Yield the stored rows, but those that come again."""
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(GROUP_ROWS):
            table = pa.Table.from_batches([batch])
            if bound is not None:
                column = table[cursor]
                table = table.filter(pc.less(column, pa.scalar(bound).cast(column.type)))
            yield table


def _groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield tables of `GROUP_ROWS`, so that the same rows give the same file, however they came."""
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while len(waiting) >= GROUP_ROWS:
            yield waiting.slice(0, GROUP_ROWS).combine_chunks()
            waiting = waiting.slice(GROUP_ROWS)
    if len(waiting):
        yield waiting.combine_chunks()


def _check_cursor(table: pa.Table, name: str) -> None:
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
