"""Read a file of any format as tables, so many rows at a time."""

import json
import re
import warnings
import zlib
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from lzma import LZMAError
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

import fsspec
import pandas as pd
import pyarrow as pa
from fsspec.utils import infer_compression
from pyarrow import parquet

from ..errors import UserError, first_line
from ..files import file_digest
from ..problem.columns import label
from ..problem.notation import find_decimal
from ..problem.sources import Data
from .arrow import TEXT, UnreadableError, check_names, from_records, from_rows
from .delimited import SAMPLE, read_delimited
from .layout import LAST, Row, find_footer, find_head
from .stream import NotedTables, Source

ROWS = 50_000  # in a table
CHUNK = 1 << 16
BUFFER_BYTES = 1_000_000  # of each Parquet column that is read ahead
MERGED = re.compile(rb'mergeCell ref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')
MERGED_BYTES = 60  # the most that one of these takes
DAMAGED = (EOFError, OSError, zlib.error, LZMAError, BadZipFile)


def read_file(name: str, file: Path, data: Data, sources: list[Source]) -> Iterator[pa.Table]:
    """Yield the rows of a file, then append it to `sources`; what is wrong becomes one sentence.

    Its suffix says how it is written, and a second one how it is compressed.
    """
    compression = infer_compression(file.name)
    suffix = (Path(file.stem) if compression else file).suffix.lower()
    if suffix not in READERS:
        raise UserError(
            f'{name} has the suffix "{suffix}", which no reader knows; allowed: '
            f"{', '.join(READERS)}, also with .gz, .bz2, .xz or .zip after it."
        )
    rows: Counter[tuple[str, ...]] = Counter()
    sign: tuple[str, ...] = ()
    try:
        with _open(file, compression) as stream:
            for note, table in READERS[suffix](stream, data):
                if len(note) == 1 and not sign:  # texts of any file may hold numbers
                    texts = [f.name for f in table.schema if f.type in {TEXT, pa.large_string()}]
                    some = {name: table[name].combine_chunks().cast(TEXT) for name in texts}
                    sign = ("", *reversed(find_decimal(some, data.decimal, "")))
                rows[note + sign] += len(table)
                yield table.rename_columns(check_names(table.column_names))
        if not rows.total():
            raise UnreadableError("has no rows")  # noqa: TRY301
    except UnreadableError as error:
        raise UserError(f"{name} {error}.") from None
    except PermissionError as error:
        raise UserError(f"{name} cannot be read ({error.strerror}).") from None
    except DAMAGED as error:
        raise UserError(f"{name} is damaged or cut off ({error}).") from None
    sources += [Source(name, file_digest(file), count, *note) for note, count in rows.items()]


def members(archive: ZipFile) -> list[str]:
    """Return the names of the files in an archive, without what macOS adds to them."""
    names = (member.filename for member in archive.infolist() if not member.is_dir())
    return [name for name in names if not re.search(r"(^|/)(\.|__MACOSX/)", name)]


@contextmanager
def _open(file: Path, compression: str | None) -> Iterator[Any]:
    """Open a file as it was before it was compressed; a zip has to hold one file."""
    if compression != "zip":
        with fsspec.open(str(file), "rb", compression=compression) as stream:
            yield stream
        return
    with ZipFile(file) as archive:
        names = members(archive)
        if len(names) != 1:
            raise UnreadableError(
                f"holds {len(names)} files ({', '.join(names[:3])}); unpack it, and name the files "
                "by a pattern"
            )
        with archive.open(names[0]) as stream:
            yield stream


def _parquet(stream: BinaryIO, _: Data) -> NotedTables:
    try:
        # pre_buffer would keep all parts; without buffer_size a whole column is read at once.
        source = pa.PythonFile(stream, mode="r")
        file = parquet.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER_BYTES)
        for batch in file.iter_batches(ROWS):
            table = pa.Table.from_batches([batch])
            index = [name for name in table.column_names if name.startswith("__index_level_")]
            yield ("Parquet",), table.drop_columns(index)  # pandas wrote row numbers
    except (pa.ArrowException, OSError) as error:
        raise _unreadable("Parquet", error) from None


def _excel(stream: BinaryIO, data: Data) -> NotedTables:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl tells of styles and menus that it leaves out
        try:
            with pd.ExcelFile(stream, engine="openpyxl") as book:
                sheets: dict[str | int, str] = dict(enumerate(map(str, book.sheet_names), 1))
                sheet = sheets.get(data.sheet, str(data.sheet))
                if sheet not in sheets.values():
                    listed = ", ".join(sheets.values())
                    raise UnreadableError(
                        f"has no sheet {data.sheet!r}; set [data] sheet to the name or number of "
                        f'one of these: "{listed}"'
                    )
                cells = book.parse(sheet, header=None, dtype=object, keep_default_na=False)
                merged = _merged_down(book.book[sheet])
        except (*DAMAGED, KeyError, ValueError) as error:
            raise _unreadable("Excel", error) from None
    cells = cells.mask(cells.isin([""]))
    cells = cells.dropna(how="all").dropna(how="all", axis="columns").astype(object)
    if cells.empty:
        raise UnreadableError(f'has an empty sheet "{sheet}"; set [data] sheet to another')
    beside = cells.notna().sum(axis="columns") > 1  # titles and notes stand alone in a row
    used = cells[beside].notna().any() | (not beside.any())
    names, skipped, out = find_head(_rows(cells.iloc[:SAMPLE], used), data.header, data.marks())
    cells = cells[cells.index >= skipped]
    for column, first, last in merged:  # a label that is merged down its rows is that of each
        if column in cells and first >= skipped:
            cells.loc[first:last, column] = cells.loc[first:last, column].ffill()
    below = find_footer(_rows(cells.iloc[-LAST:], used), len(names))
    cells = cells.loc[:, used].iloc[: len(cells) - len(below)]
    cells = cells.mask(cells.isin(data.marks()))
    out += map(str, below)
    if data.sheet == 1 and len(sheets) > 1:
        out.append(f'the sheets beside "{sheet}": "{", ".join([*sheets.values()][1:])}"')
    decimal, doubt = _write_alike(cells, names, data.decimal)
    note = f'Excel sheet "{sheet}"', ", ".join(out), doubt, decimal
    for start in range(0, len(cells), ROWS):
        yield note, from_rows(cells.iloc[start : start + ROWS].to_numpy().tolist(), names)


def _merged_down(sheet: Any) -> list[tuple[int, int, int]]:
    """Return the column, first and last row, from 0, of cells that are merged down rows."""
    from openpyxl.utils import range_boundaries

    found: dict[bytes, None] = {}
    tail = b""
    with sheet._get_source() as xml:  # noqa: SLF001 - a sheet that is read in parts hides them
        while chunk := xml.read(CHUNK):
            tail = tail[-MERGED_BYTES:] + chunk
            found |= dict.fromkeys(MERGED.findall(tail))
    areas = [range_boundaries(area.decode()) for area in found]
    return [(left - 1, top - 1, bottom - 1) for left, top, _, bottom in areas if bottom > top]


def _write_alike(cells: pd.DataFrame, names: list[str], known: str) -> tuple[str, str]:
    """Write numbers in columns that have texts as well as these; return their sign and a doubt."""
    are_texts = cells.map(lambda value: isinstance(value, str))
    texts = {
        name: pa.array(cells[k][are_texts[k]], pa.string())
        for k, name in zip(cells, names, strict=True)
    }
    decimal, doubt = find_decimal(texts, known, "")
    for name in cells.columns[are_texts.any()] if decimal == "," else ():
        numbers = cells[name].map(lambda value: isinstance(value, float)) & cells[name].notna()
        cells.loc[numbers, name] = cells.loc[numbers, name].map(label).str.replace(".", ",")
    return decimal, doubt


def _rows(cells: pd.DataFrame, used: pd.Series) -> list[Row]:
    """Return the texts in the columns of the table; what stands beside it moves to the first."""
    texts = cells.map(label, na_action="ignore").fillna("")
    rows = zip(texts.index, texts.loc[:, used].to_numpy(), texts.sum(axis="columns"), strict=True)
    return [Row(n + 1, n + 1, [*own] if any(own) else [text, *own[1:]]) for n, own, text in rows]


def _json(stream: BinaryIO, _: Data) -> NotedTables:
    is_array = stream.read(CHUNK).removeprefix(BOM_UTF8).lstrip().startswith(b"[")
    stream.seek(0)
    lines = enumerate([stream.read()] if is_array else stream, start=1)
    records = (record for number, line in lines for record in _records(line, number))
    while batch := list(islice(records, ROWS)):
        yield ("JSON",), from_records(batch)


def _records(text: bytes, line: int) -> list[dict[str, Any]]:
    """Return the objects of a line, or of an array that begins there."""
    try:
        found = json.loads(text) if text.strip() else []
    except json.JSONDecodeError as error:
        line += error.lineno - 1
        raise UnreadableError(f"is damaged or cut off in line {line:,} ({error.msg})") from None
    except UnicodeDecodeError:
        raise UnreadableError(f"is not UTF-8 in line {line:,}") from None
    records = found if isinstance(found, list) else [found]
    wrong = [json.dumps(record) for record in records if not isinstance(record, dict)]
    if wrong:
        raise UnreadableError(f"must hold one object for each row, but has {wrong[0]:.40}")
    return records


def _unreadable(kind: str, error: Exception) -> UnreadableError:
    reason = first_line(error)
    return UnreadableError(f"cannot be read as {kind} ({reason})")


READERS: dict[str, Callable[[BinaryIO, Data], NotedTables]] = {
    **dict.fromkeys([".csv", ".tsv", ".txt"], read_delimited),
    ".parquet": _parquet,
    **dict.fromkeys([".xlsx", ".xlsm"], _excel),
    **dict.fromkeys([".json", ".jsonl", ".ndjson"], _json),
}
