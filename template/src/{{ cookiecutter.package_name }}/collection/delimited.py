"""Read CSV and its relatives: find out how the file is written, then let Arrow parse it."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow

from .names import UnreadableError, check_names

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
CHUNK = 1 << 20  # bytes; the first chunk tells the dialect
SAMPLE_ROWS = 500
GROUPED = {  # numbers with a separator between thousands, by their decimal sign
    ".": r"^[+-]?(\d{1,3}([,' \x{a0}\x{202f}]\d{3})+|\d+)(\.\d+)?$",
    ",": r"^[+-]?(\d{1,3}([.' \x{a0}\x{202f}]\d{3})+|\d+)(,\d+)?$",
}


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes
    ----------
    encoding
        A name that Python knows.
    delimiter
        What stands between two values.
    decimal
        What stands before the fraction of a number.
    names
        The columns.
    header_lines
        How many lines come before the first row.
    """

    encoding: str
    delimiter: str
    decimal: str
    names: list[str]
    header_lines: int

    def __str__(self) -> str:
        """Say it in words."""
        names = {"cp1252": "Windows-1252", "utf-8-sig": "UTF-8"}
        encoding = names.get(self.encoding, self.encoding.upper())
        comma = ", decimal comma" if self.decimal == "," else ""
        return f"{encoding}, {DELIMITERS[self.delimiter]} between values{comma}"


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
    encoding, quotes = _survey(stream)
    dialect = _dialect(stream, encoding)
    if quotes % 2:  # fine as inches, but not where a quoted value never ends
        _find_bad_line(stream, dialect)
    table = _parse(stream, dialect, quoted=quotes > 0)
    found: Counter[str] = Counter()
    columns = table.columns
    del table
    frame = pd.DataFrame(
        {name: _column(columns.pop(0), dialect.decimal, missing, found) for name in dialect.names},
        copy=False,
    )
    marks = ", ".join(f'"{mark}" ({n:,})' for mark, n in found.most_common())
    return frame, f"{dialect}{'; read as missing: ' + marks if marks else ''}"


def _survey(stream: BinaryIO) -> tuple[str, int]:
    """Return the encoding and the number of quotes; reads all of it, a chunk at a time."""
    head = stream.read(CHUNK)
    if not head.strip():
        raise UnreadableError("is empty")
    marks = (name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark))
    encoding = next(marks, "utf-8")
    if b"\0" in head and encoding != "utf-16":
        raise UnreadableError("is not text: it holds bytes of value 0")
    try:
        return encoding, sum(text.count('"') for text in _decoded(stream, encoding))
    except UnicodeDecodeError:
        pass
    good, bad, line = _damage(stream, encoding)
    # Accents of Windows-1252 are almost never valid UTF-8, so valid ones mean a damaged file.
    if encoding == "utf-8" and bad > good:
        try:
            return "cp1252", sum(text.count('"') for text in _decoded(stream, "cp1252"))
        except UnicodeDecodeError:
            raise UnreadableError(
                "is neither UTF-8, UTF-16 nor Windows-1252 text; save it as UTF-8"
            ) from None
    raise UnreadableError(f"is {encoding.upper()} text, but damaged in line {line:,}")


def _damage(stream: BinaryIO, encoding: str) -> tuple[int, int, int]:
    """Return how many accents and the like can be read, how many cannot, and the first bad line."""
    good = bad = lines = line = 0
    for text in _decoded(stream, encoding, errors="replace"):
        damaged = text.count("\N{REPLACEMENT CHARACTER}")
        if damaged and not bad:
            line = lines + text[: text.index("\N{REPLACEMENT CHARACTER}")].count("\n") + 1
        good += len(text) - len(text.encode("ascii", errors="ignore")) - damaged
        bad += damaged
        lines += text.count("\n")
    return good, bad, line


def _decoded(stream: BinaryIO, encoding: str, errors: str = "strict") -> Iterator[str]:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    while chunk := stream.read(CHUNK):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _dialect(stream: BinaryIO, encoding: str) -> Dialect:
    text = next(_decoded(stream, encoding))
    lines = list(StringIO(text, newline=""))  # ends where the csv module ends them
    if len(text) >= CHUNK // 2 and len(lines) > 1:
        lines.pop()  # cut off in the middle
    samples = {sign: _sample(lines, sign) for sign in DELIMITERS}
    delimiter = max(samples, key=lambda sign: _fit(samples[sign][0]))
    rows, header_lines = samples[delimiter]
    if not "".join(lines[header_lines:]).strip():
        raise UnreadableError("has a header but no rows")
    cells = [cell.strip() for row in rows[1:] for cell in row]
    commas = sum(1 for cell in cells if re.fullmatch(r"[+-]?[\d.'\s]*\d,\d+", cell))
    points = sum(1 for cell in cells if re.fullmatch(r"[+-]?[\d,'\s]*\d\.\d+", cell))
    decimal = "," if delimiter != "," and commas > points else "."
    return Dialect(encoding, delimiter, decimal, check_names(rows[0]), header_lines)


def _sample(lines: list[str], delimiter: str) -> tuple[list[list[str]], int]:
    """Return the first rows that are not blank, and how many lines the header takes."""
    reader = csv.reader(lines, delimiter=delimiter)
    rows: list[list[str]] = []
    header_lines = 0
    try:
        for row in reader:
            if row:
                rows.append(row)
                header_lines = header_lines or reader.line_num
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # a quote that never ends; `_find_bad_line` says where
    return rows or [[""]], header_lines


def _fit(rows: list[list[str]]) -> tuple[float, int]:
    """Return how well a delimiter splits: the share of rows as wide as the header, its width."""
    width = len(rows[0])
    agree = sum(len(row) == width for row in rows) / len(rows)
    return (agree, width) if width > 1 else (0.0, 0)


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


def _column(
    texts: pa.ChunkedArray, decimal: str, missing: Sequence[str], found: Counter[str]
) -> pd.Series:
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
