"""Read CSV and its relatives: Arrow parses all values as text, then columns become numbers."""

import csv
from collections import Counter
from collections.abc import Sequence
from io import TextIOWrapper
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow

from .dialect import CHUNK, SAMPLE_ROWS, Dialect, find_dialect, survey
from .names import UnreadableError

GROUPED = {  # numbers with a separator between thousands, by their decimal sign
    ".": r"^[+-]?(\d{1,3}([,' \x{a0}\x{202f}]\d{3})+|\d+)(\.\d+)?$",
    ",": r"^[+-]?(\d{1,3}([.' \x{a0}\x{202f}]\d{3})+|\d+)(,\d+)?$",
}


def read_delimited(stream: BinaryIO, missing: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Read delimited text with a header.

    A column becomes numbers if every value is one, and stays text otherwise. Integers that would
    not be written back the same, such as the code 007, stay text, and so do dates and booleans.

    Parameters
    ----------
    stream
        Bytes that can be read twice.
    missing
        What stands for a missing value.

    Returns
    -------
    frame, note
        The rows, and how the file is written in words.

    Raises
    ------
    UnreadableError
        If it is not text, or not the same number of values in each line.
    """
    encoding, quotes = survey(stream)
    dialect = find_dialect(stream, encoding)
    if quotes % 2:  # fine as inches, but not where a quoted value never ends
        _find_bad_line(stream, dialect)
    table = _parse(stream, dialect, quoted=quotes > 0)
    found: Counter[str] = Counter()
    columns = table.columns
    del table
    frame = pd.DataFrame(
        {
            name: typed_column(columns.pop(0), dialect.decimal, missing, found)
            for name in dialect.names
        },
        copy=False,
    )
    marks = ", ".join(f'"{mark}" ({n:,})' for mark, n in found.most_common())
    return frame, f"{dialect}{'; read as missing: ' + marks if marks else ''}"


def _parse(stream: BinaryIO, dialect: Dialect, *, quoted: bool) -> pa.Table:
    """Return all values as text, the columns named by their positions."""
    positions = [str(k) for k in range(len(dialect.names))]
    stream.seek(0)
    try:
        return arrow.read_csv(
            pa.PythonFile(stream, mode="r"),
            arrow.ReadOptions(
                column_names=positions,
                skip_rows=dialect.header_lines,
                block_size=16 * CHUNK,
                encoding="utf8" if dialect.encoding.startswith("utf-8") else dialect.encoding,
            ),
            arrow.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=quoted),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(positions, pa.string()), strings_can_be_null=False
            ),
        )
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
) -> pd.Series:
    """Return numbers if all texts are, otherwise the texts; `found` counts what was missing."""
    numbers = _numbers(texts, decimal)
    if not pa.types.is_string(numbers.type):
        return numbers.to_pandas()
    texts = pc.utf8_trim_whitespace(texts)
    blank = pc.is_in(texts, value_set=pa.array(missing, pa.string()))
    if pc.any(blank).as_py():
        for mark in pc.value_counts(texts.filter(blank)).to_pylist():
            if mark["values"]:
                found[mark["values"]] += mark["counts"]
        texts = pc.if_else(blank, pa.scalar(None, pa.string()), texts)
    return _numbers(texts, decimal).to_pandas()


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
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return None
