"""Find out how delimited text is written: its encoding, delimiter, decimal sign and header."""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from typing import BinaryIO

from .names import UnreadableError, check_names

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
BYTE_ORDER_MARKS = {  # those of UTF-32 begin with those of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
CHUNK = 1 << 20  # bytes; the first chunk tells the dialect
SAMPLE_ROWS = 500


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


def survey(stream: BinaryIO) -> tuple[str, int]:
    """Return the encoding and the number of quotes; reads all of it, a chunk at a time."""
    head = stream.read(CHUNK)
    if not head.strip():
        raise UnreadableError("is empty")
    marks = (name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark))
    encoding = next(marks, "utf-8")
    if b"\0" in head and encoding not in ("utf-16", "utf-32"):
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


def find_dialect(stream: BinaryIO, encoding: str) -> Dialect:
    """Return how a file is written, by its first lines."""
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
