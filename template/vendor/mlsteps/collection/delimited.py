"""Read CSV and its relatives: Arrow parses all values as text, then columns become numbers."""

import csv
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow

from .dialect import CHUNK, SAMPLE_ROWS, Dialect, find_dialect, survey
from .names import UnreadableError

FEW_ROWS = 100  # tell nearly every column of labels
GROUPED = {  # numbers with a separator between thousands, by their decimal sign
    ".": r"^[+-]?(\d{1,3}([,' \x{a0}\x{202f}]\d{3})+|\d+)(\.\d+)?$",
    ",": r"^[+-]?(\d{1,3}([.' \x{a0}\x{202f}]\d{3})+|\d+)(,\d+)?$",
}


def read_delimited(stream: BinaryIO, missing: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Read delimited text with a header.

    A column becomes numbers if every value is one, and stays text otherwise. Integers that would
    not be written back the same, such as the code 007, stay text, and so do dates and booleans.
    """
    dialect, quoted = _survey(stream)
    table = _parse(stream, dialect, quoted=quoted)
    found: Counter[str] = Counter()
    columns = table.columns
    del table
    frame = pd.DataFrame(
        {
            name: typed_column(columns.pop(0), dialect.decimal, missing, found).to_pandas()
            for name in dialect.names
        },
        copy=False,
    )
    marks = ", ".join(f'"{mark}" ({n:,})' for mark, n in found.most_common())
    return frame, f"{dialect}{'; read as missing: ' + marks if marks else ''}"


def delimited_parts(
    stream: BinaryIO, missing: Sequence[str], texts: Container[str]
) -> Iterator[pa.Table]:
    """Read delimited text a few megabytes at a time; see `read_delimited`."""
    dialect, quoted = _survey(stream)
    found: Counter[str] = Counter()
    for table in _parse_parts(stream, dialect, quoted=quoted):
        yield pa.table(
            {
                name: _texts(column, missing, found)
                if name in texts
                else typed_column(column, dialect.decimal, missing, found)
                for name, column in zip(dialect.names, table.columns, strict=True)
            }
        )


def _survey(stream: BinaryIO) -> tuple[Dialect, bool]:
    """Return how a file is written, and whether it has quotes."""
    encoding, quotes = survey(stream)
    dialect = find_dialect(stream, encoding)
    if quotes % 2:  # fine as inches, but not where a quoted value never ends
        _find_bad_line(stream, dialect)
    return dialect, quotes > 0


def _parse(stream: BinaryIO, dialect: Dialect, *, quoted: bool) -> pa.Table:
    """Return all values as text, the columns named by their positions."""
    with _saying_where(stream, dialect):
        stream.seek(0)
        return arrow.read_csv(pa.PythonFile(stream, mode="r"), **_options(dialect, 16, quoted))


def _parse_parts(stream: BinaryIO, dialect: Dialect, *, quoted: bool) -> Iterator[pa.Table]:
    with _saying_where(stream, dialect):
        stream.seek(0)
        file = pa.PythonFile(stream, mode="r")
        for batch in arrow.open_csv(file, **_options(dialect, 4, quoted)):
            yield pa.Table.from_batches([batch])


def _options(dialect: Dialect, chunks: int, quoted: bool) -> dict[str, Any]:
    positions = [str(k) for k in range(len(dialect.names))]
    return {
        "read_options": arrow.ReadOptions(
            column_names=positions,
            skip_rows=dialect.header_lines,
            block_size=chunks * CHUNK,
            encoding="utf8" if dialect.encoding.startswith("utf-8") else dialect.encoding,
        ),
        "parse_options": arrow.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=quoted),
        "convert_options": arrow.ConvertOptions(
            column_types=dict.fromkeys(positions, pa.string()), strings_can_be_null=False
        ),
    }


@contextmanager
def _saying_where(stream: BinaryIO, dialect: Dialect) -> Iterator[None]:
    """Name the line at fault if parsing in the block fails."""
    try:
        yield
    except pa.ArrowInvalid as error:
        _find_bad_line(stream, dialect)
        raise UnreadableError(f"is not a table ({error})") from None


def _find_bad_line(stream: BinaryIO, dialect: Dialect) -> None:
    """Raise an error that names the first line which does not fit the header, if there is one."""
    stream.seek(0)
    text = TextIOWrapper(stream, encoding=dialect.encoding, newline="")
    reader = csv.reader(text, delimiter=dialect.delimiter, strict=True)
    width = len(dialect.names)
    start = 1
    try:
        for row in reader:
            if row and len(row) != width:
                raise UnreadableError(
                    f"has {len(row)} value{'s' * (len(row) > 1)} in line {start:,}, "
                    f"but {width} column{'s' * (width > 1)} in its header"
                )
            start = reader.line_num + 1
    except csv.Error:
        raise UnreadableError(f"has a quote in line {start:,} that does not end") from None
    finally:
        text.detach()


def typed_column(
    texts: pa.ChunkedArray, decimal: str, missing: Sequence[str], found: Counter[str]
) -> pa.ChunkedArray:
    """Return numbers if all texts are, otherwise the texts; `found` counts what was missing."""
    numbers = _numbers(texts, decimal)
    if not pa.types.is_string(numbers.type):
        return numbers
    return _numbers(_texts(texts, missing, found), decimal)


def _texts(texts: pa.ChunkedArray, missing: Sequence[str], found: Counter[str]) -> pa.ChunkedArray:
    """Return texts without blanks around them, null where they stand for a missing value."""
    texts = pc.utf8_trim_whitespace(texts)
    blank = pc.is_in(texts, value_set=pa.array(missing, pa.string()))
    if pc.any(blank).as_py():
        for mark in pc.value_counts(texts.filter(blank)).to_pylist():
            if mark["values"]:
                found[mark["values"]] += mark["counts"]
        texts = pc.if_else(blank, pa.scalar(None, pa.string()), texts)
    return texts


def _numbers(texts: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Return numbers if all texts are, otherwise the texts."""
    integers = _cast(texts, pa.int64())
    if integers is not None:
        same = pc.all(pc.equal(integers.cast(pa.string()), texts)).as_py()
        return integers if same is not False else texts
    if pc.any(pc.match_substring_regex(texts.slice(0, SAMPLE_ROWS), r"^\d{19,}$")).as_py():
        return texts  # a fraction would lose the last digits of a code
    numbers = _cast(texts, pa.float64()) if decimal == "." else None
    if numbers is None:
        numbers = _grouped(texts, decimal)
    if numbers is None and decimal == ",":
        numbers = _cast(texts, pa.float64())
    return texts if numbers is None else numbers


def _grouped(texts: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray | None:
    for part in (texts.slice(0, SAMPLE_ROWS), texts):  # most columns of labels fail at once
        if pc.all(pc.match_substring_regex(part, GROUPED[decimal])).as_py() is False:
            return None
    thousands = r"[,' \x{a0}\x{202f}]" if decimal == "." else r"[.' \x{a0}\x{202f}]"
    digits = pc.replace_substring_regex(texts, thousands, "")
    return _cast(pc.replace_substring(digits, decimal, "."), pa.float64())


def _cast(texts: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        texts.slice(0, FEW_ROWS).cast(kind)  # a text that is no number takes long, so not for all
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return None
