"""Read an open file of any format as tables, so many rows at a time."""

import json
import warnings
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from gzip import BadGzipFile
from io import TextIOWrapper
from itertools import islice
from lzma import LZMAError
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import fsspec
import pandas as pd
import pyarrow as pa
from fsspec.utils import infer_compression
from pyarrow import parquet

from ..errors import UserError
from ..problem.columns import labels
from .arrow import UnreadableError, check_names, from_records, from_rows
from .delimited import MISSING, read_delimited

ROWS = 50_000  # in a table
BUFFER_BYTES = 1_000_000  # of each Parquet column that is read ahead
DAMAGED = (EOFError, zlib.error, LZMAError, BadZipFile, BadGzipFile)

NotedTables = tuple[str, Iterable[pa.Table]]  # how a file is written, and its rows


@contextmanager
def open_tables(
    name: str, file: Path, missing: Sequence[str], texts: Container[str] = ()
) -> Iterator[NotedTables]:
    """Open a file; its suffix says how it is written, and a second one how it is compressed.

    Columns of CSV that are named in `texts` stay text. What is wrong becomes one sentence.
    """
    compression = infer_compression(file.name)
    suffix = (Path(file.stem) if compression else file).suffix.lower()
    if suffix not in READERS:
        raise UserError(
            f'{name} has the suffix "{suffix}", which no reader knows; allowed: '
            f"{', '.join(READERS)}, also with .gz, .bz2, .xz or .zip after it."
        )
    try:
        with fsspec.open(str(file), "rb", compression=compression) as stream:
            yield READERS[suffix](stream, missing, texts)
    except UnreadableError as error:
        raise UserError(f"{name} {error}.") from None
    except DAMAGED as error:
        raise UserError(f"{name} is damaged or cut off ({error}).") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read ({error.strerror or error}).") from None


def _parquet(stream: BinaryIO, *_: object) -> NotedTables:
    def tables() -> Iterator[pa.Table]:
        try:
            # pre_buffer would keep all parts, and without buffer_size a column of a row group is
            # read at once.
            source = pa.PythonFile(stream, mode="r")
            file = parquet.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER_BYTES)
            for batch in file.iter_batches(ROWS):
                table = pa.Table.from_batches([batch])
                index = [n for n in table.column_names if n.startswith("__index_level_")]
                yield table.drop_columns(index)  # pandas wrote row numbers
        except (pa.ArrowException, OSError) as error:
            raise UnreadableError(f"cannot be read as Parquet ({_first_line(error)})") from None

    return "Parquet", tables()


def _excel(stream: BinaryIO, missing: Sequence[str], *_: object) -> NotedTables:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl tells of styles and menus that it leaves out
        try:
            with pd.ExcelFile(stream, engine="openpyxl") as book:
                first, *others = map(str, book.sheet_names)
                cells = book.parse(0, header=None, dtype=object, keep_default_na=False)
        except (*DAMAGED, KeyError, ValueError, OSError) as error:
            raise UnreadableError(f"cannot be read as Excel ({_first_line(error)})") from None
    cells = cells.mask(cells.isin([*MISSING, *missing]))
    cells = cells.dropna(how="all").dropna(how="all", axis="columns")
    if cells.empty:
        raise UnreadableError(f'has an empty first sheet "{first}"')
    names = check_names(labels(cells.iloc[0].astype(object)).fillna(""))
    note = f'Excel sheet "{first}"'
    if others:
        note += f', the first of {len(others) + 1}: the others are "{", ".join(others)}"'
    starts = range(1, len(cells), ROWS)
    rows = cells.astype(object).to_numpy()
    return note, (from_rows(rows[start : start + ROWS].tolist(), names) for start in starts)


def _json(stream: BinaryIO, *_: object) -> NotedTables:
    text = TextIOWrapper(stream, encoding="utf-8-sig")
    is_array = text.read(1 << 16).lstrip().startswith("[")
    text.seek(0)

    def tables() -> Iterator[pa.Table]:
        lines = enumerate([text.read()] if is_array else text, start=1)
        try:
            while batch := list(islice(lines, ROWS)):
                records = [record for number, line in batch for record in _records(line, number)]
                for start in range(0, len(records), ROWS):
                    yield from_records(records[start : start + ROWS])
        except UnicodeDecodeError as error:
            raise UnreadableError(f"is not UTF-8 (byte {error.start})") from None
        finally:
            text.detach()

    return "JSON array" if is_array else "JSON lines", tables()


def _records(text: str, line: int) -> list[dict[str, object]]:
    """Return the objects of a line, or of an array that begins there."""
    if not text.strip():
        return []
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        line += error.lineno - 1
        raise UnreadableError(f"is damaged or cut off in line {line:,} ({error.msg})") from None
    records = found if isinstance(found, list) else [found]
    for record in records:
        if not isinstance(record, dict):
            wrong = json.dumps(record)
            raise UnreadableError(f"must hold one object for each row, but has {wrong:.40}")
    return records


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


READERS: dict[str, Callable[[BinaryIO, Sequence[str], Container[str]], NotedTables]] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), read_delimited),
    ".parquet": _parquet,
    **dict.fromkeys((".xlsx", ".xlsm"), _excel),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), _json),
}
