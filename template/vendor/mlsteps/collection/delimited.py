"""Read CSV and its relatives: Arrow parses all values as text, then columns become numbers."""

import codecs
import csv
import re
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from io import TextIOWrapper
from itertools import islice
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow

from .arrow import DECIMAL, TEXT, WHOLE, UnreadableError, check_names

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
ENCODINGS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What stands for a missing value where there is no other way to say so. "None" and "-" are not
# among them, because they can be honest labels.
MISSING = ["", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL"]
CHUNK = 1 << 20  # bytes
PART_BYTES = 4 * CHUNK
SAMPLE = 500  # lines or values
FEW = 100  # values tell nearly every column of labels


def read_delimited(
    stream: BinaryIO, missing: Sequence[str], texts: Container[str]
) -> tuple[str, Iterator[pa.Table]]:
    """Return how delimited text with a header is written, and its rows part by part.

    The columns named in `texts` stay text, and so do codes such as 007, dates and booleans.
    """
    encoding, quotes = _survey(stream)
    with _decoded(stream, encoding) as text:
        lines = list(islice(text, SAMPLE))
    delimiter = max(DELIMITERS, key=lambda sign: _fit(_rows(lines, sign)))
    header, *rows = _rows(lines, delimiter)
    names = check_names(header)
    if quotes % 2:  # fine as inches, but not where a quoted value never ends
        _find_bad_line(stream, encoding, delimiter, len(names))
    if not rows:
        raise UnreadableError("has a header but no rows")
    decimal = "," if delimiter != "," and _has_decimal_commas(rows) else "."
    comma = ", decimal comma" if decimal == "," else ""
    note = f"{ENCODINGS[encoding]}, {DELIMITERS[delimiter]} between values{comma}"

    def tables() -> Iterator[pa.Table]:
        for table in _parse(stream, encoding, delimiter, header, quoted=quotes > 0):
            columns = zip(names, table.columns, strict=True)
            yield pa.table(
                {
                    name: typed(column, [*MISSING, *missing], decimal, as_text=name in texts)
                    for name, column in columns
                }
            )

    return note, tables()


def typed(
    texts: pa.ChunkedArray, missing: Sequence[str], decimal: str, *, as_text: bool = False
) -> pa.ChunkedArray:
    """Return numbers if all texts that are not missing are numbers, otherwise the texts."""
    texts = pc.utf8_trim_whitespace(texts)
    blank = pc.is_in(texts, value_set=pa.array(missing, TEXT))
    if pc.any(blank).as_py():
        texts = pc.if_else(blank, pa.scalar(None, TEXT), texts)
    if as_text:
        return texts
    integers = _cast(texts, WHOLE)
    if integers is not None:
        same = pc.all(pc.equal(integers.cast(TEXT), texts)).as_py()
        return texts if same is False else integers
    if pc.any(pc.match_substring_regex(texts.slice(0, SAMPLE), r"^\d{19,}$")).as_py():
        return texts  # a fraction would lose the last digits of a code
    numbers = _cast(texts, DECIMAL) if decimal == "." else None
    if numbers is None:
        numbers = _cast(_ungrouped(texts, decimal), DECIMAL)
    return texts if numbers is None else numbers


def _cast(texts: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        texts.slice(0, FEW).cast(kind)  # a text that is no number takes long, so not for all
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return None


def _ungrouped(texts: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Return numbers without what separates their thousands, and with a decimal point."""
    separator = f"[{'.' if decimal == ',' else ','}' \\x{{a0}}\\x{{202f}}]"
    pattern = rf"^[+-]?(\d{{1,3}}({separator}\d{{3}})+|\d+)([{decimal}]\d+)?$"
    for part in (texts.slice(0, SAMPLE), texts):  # most columns of labels fail at once
        if pc.all(pc.match_substring_regex(part, pattern)).as_py() is False:
            return texts
    return pc.replace_substring(pc.replace_substring_regex(texts, separator, ""), decimal, ".")


@contextmanager
def _decoded(stream: BinaryIO, encoding: str) -> Iterator[TextIOWrapper]:
    stream.seek(0)
    text = TextIOWrapper(stream, encoding, newline="")
    try:
        yield text
    finally:
        text.detach()


def _survey(stream: BinaryIO) -> tuple[str, int]:
    """Return the encoding and the number of quotes; reads all of it, a chunk at a time."""
    head = stream.read(CHUNK)
    if not head.strip():
        raise UnreadableError("is empty")
    marks = (name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark))
    encoding = next(marks, "utf-8")
    if b"\0" in head and encoding != "utf-16":
        raise UnreadableError("is not text: it holds bytes of value 0")
    with suppress(UnicodeDecodeError), _decoded(stream, encoding) as text:
        return encoding, sum(part.count('"') for part in iter(partial(text.read, CHUNK), ""))
    good, quotes, bad = 0, 0, []
    stream.seek(0)
    for number, line in enumerate(stream, start=1):
        quotes += line.count(b'"')
        try:
            good += not line.decode(encoding).isascii()
        except UnicodeDecodeError:
            bad.append(number)
    # Accents of Windows-1252 are almost never valid UTF-8, so valid ones mean a damaged file.
    if encoding != "utf-8" or good >= len(bad):
        raise UnreadableError(f"is {ENCODINGS[encoding]} text, but damaged in line {bad[0]:,}")
    return "cp1252", quotes


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    with suppress(csv.Error):  # what was read before is enough
        rows.extend(row for row in csv.reader(lines, delimiter=delimiter) if row)
    return rows or [[""]]


def _fit(rows: list[list[str]]) -> tuple[float, int]:
    """Return how well a delimiter splits: the share of rows as wide as the header, its width."""
    width = len(rows[0])
    agree = sum(len(row) == width for row in rows) / len(rows)
    return (agree, width) if width > 1 else (0.0, 0)


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(1 for cell in cells if re.fullmatch(r"[+-]?[\d.'\s]*\d,\d+", cell))
    points = sum(1 for cell in cells if re.fullmatch(r"[+-]?[\d,'\s]*\d\.\d+", cell))
    return commas > points


def _parse(
    stream: BinaryIO, encoding: str, delimiter: str, header: list[str], *, quoted: bool
) -> Iterator[pa.RecordBatch]:
    """Yield all values as text; if a row does not fit the header, say in which line."""
    stream.seek(0)
    try:
        yield from arrow.open_csv(
            pa.PythonFile(stream, mode="r"),
            arrow.ReadOptions(
                block_size=PART_BYTES,
                encoding="utf8" if encoding.startswith("utf-8") else encoding,
            ),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=quoted),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(header, TEXT),
                include_columns=header,
                strings_can_be_null=False,
            ),
        )
    except UnicodeDecodeError:
        reason = "is neither UTF-8, UTF-16 nor Windows-1252 text; save it as UTF-8"
        raise UnreadableError(reason) from None
    except pa.ArrowInvalid as error:
        _find_bad_line(stream, encoding, delimiter, len(header))
        raise UnreadableError(f"is not a table ({error})") from None


def _find_bad_line(stream: BinaryIO, encoding: str, delimiter: str, width: int) -> None:
    """Raise an error that names the first line which does not fit the header, if there is one."""
    start = 1
    with _decoded(stream, encoding) as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
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
