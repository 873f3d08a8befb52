"""Read CSV and its relatives: Arrow parses all values as text, then columns become numbers."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO, StringIO, TextIOWrapper
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow

from ..problem.notation import LONG, are_codes, find_decimal, ungroup
from ..problem.numbers import grouped
from ..problem.sources import Data
from ..report import counted
from .arrow import DECIMAL, TEXT, WHOLE, UnreadableError, check_names
from .layout import Row, find_footer, find_head, fit, trim
from .stream import NotedTables

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
HEAD_BYTES = 1 << 24  # tell the encoding
SAMPLE_BYTES = 1 << 20  # tell the delimiter
PART_BYTES = 1 << 22
FOR_EXCEL = re.compile(r'"?sep=(.)"?[\r\n]')  # a first line
SAMPLE = 500  # lines or values
HEAD = 2_000  # values tell the decimal sign
FEW = 100  # values tell nearly every column of labels


class Dialect(NamedTuple):
    """How the table of a file is written."""

    encoding: str
    delimiter: str
    names: list[str]  # of the columns; those that are left out have blanks
    skipped: int  # lines above the values


def read_delimited(stream: BinaryIO, data: Data) -> NotedTables:
    """Yield how delimited text is written, and the rows of its table, a few megabytes at a time.

    All is read twice, since a column has numbers only if there is no other text in any part.
    """
    head, marks = stream.read(HEAD_BYTES), data.marks()
    encoding = _find_encoding(head)
    text = head[:SAMPLE_BYTES].decode(encoding, errors="replace").removeprefix("\ufeff")
    lines = StringIO(text, newline="").readlines()
    told = FOR_EXCEL.match(text)
    signs = [told[1]] if told else [*DELIMITERS]
    delimiter = max(signs, key=lambda sign: fit(_rows(lines[:SAMPLE], sign)))
    rows, empty = trim(_rows(lines, delimiter))
    names, skipped, out = find_head(rows[:SAMPLE], data.header, marks)
    if rows[-1].start <= skipped:
        raise UnreadableError("has a header but no rows")
    out += [f"{counted(empty, 'empty column')} without a name"] if empty else []
    note = f"{encoding}, {DELIMITERS.get(delimiter, delimiter)} between values"
    written = (delimiter, "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else encoding)
    if len(head) < SAMPLE_BYTES and "\ufffd" not in text:  # people write notes below a table
        below = find_footer([row for row in rows if row.start > skipped], len(names))
        if not "".join(lines[rows[-1].end :]).strip(f"{delimiter}\r\n "):
            out += map(str, below)
            table = "".join(lines[: rows[-1 - len(below)].end])
            stream, encoding = BytesIO(table.encode()), "UTF-8"
    names += [" " * count for count in range(1, empty + 1)]
    dialect = Dialect(encoding, delimiter, names, skipped)
    some = map(pc.utf8_trim_whitespace, next(_parse(stream, dialect)).slice(0, HEAD).columns)
    decimal, doubt = find_decimal(dict(zip(names, some, strict=True)), data.decimal, delimiter)
    note += ", decimal comma" if decimal == "," else ""
    for table in _tables(stream, dialect, marks, decimal or "."):
        yield (note, ", ".join(out), doubt, decimal, *written), table


def _tables(
    stream: BinaryIO, dialect: Dialect, marks: Sequence[str], decimal: str
) -> Iterator[pa.Table]:
    """Yield the rows, once the columns that hold other texts than numbers are known."""
    texts: set[str] = set()
    for again in (False, True):
        doubtful = False
        for batch in _parse(stream, dialect):
            columns = {
                name: typed(column, marks, decimal, as_text=name in texts)
                for name, column in zip(dialect.names, batch.columns, strict=True)
            }
            if any(columns.pop(n).null_count < len(batch) for n in [*columns] if n.isspace()):
                check_names(dialect.names)
            texts |= {name for name, column in columns.items() if column.type == TEXT}
            if again:
                yield pa.table(columns)
            else:  # a quoted value that never ends takes in the lines that follow
                breaks = [pc.any(pc.match_substring(columns[name], "\n")) for name in texts]
                doubtful |= any(found.as_py() for found in breaks)
        if doubtful:
            _find_bad_line(stream, dialect)


def _parse(stream: BinaryIO, dialect: Dialect) -> Iterator[pa.RecordBatch]:
    """Yield all values as text."""
    stream.seek(0)
    encoding, delimiter, names, skipped = dialect
    try:
        yield from arrow.open_csv(
            pa.PythonFile(stream, mode="r"),
            arrow.ReadOptions(
                block_size=PART_BYTES, encoding=encoding, column_names=names, skip_rows=skipped
            ),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, TEXT), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        _find_bad_line(stream, dialect)
        raise UnreadableError(f"is not a table ({error})") from None


def typed(
    texts: pa.Array, missing: Sequence[str], decimal: str, *, as_text: bool = False
) -> pa.Array:
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
    if pc.any(pc.match_substring_regex(texts.slice(0, SAMPLE), LONG)).as_py():
        return texts
    numbers = _cast(texts, DECIMAL) if decimal == "." else None
    if numbers is None:
        numbers = _cast(_ungrouped(texts, decimal), DECIMAL)
    return texts if numbers is None else numbers


def _cast(texts: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        texts.slice(0, FEW).cast(kind)  # a text that is no number takes long, so not for all
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return None


def _ungrouped(texts: pa.Array, decimal: str) -> pa.Array:
    """Return numbers without what separates their thousands, and with a decimal point."""
    for part in (texts.slice(0, SAMPLE), texts):  # most columns of labels fail at once
        if pc.all(pc.match_substring_regex(part, grouped(decimal))).as_py() is False:
            return texts
    return texts if are_codes(texts.slice(0, SAMPLE)) else ungroup(texts, decimal)


def _find_encoding(head: bytes) -> str:
    if not head.strip():
        raise UnreadableError("is empty")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    if b"\0" in head:
        raise UnreadableError("is not text: it holds bytes of value 0")
    decoder = codecs.getincrementaldecoder("UTF-8")
    with suppress(UnicodeDecodeError):
        decoder().decode(head)
        return "UTF-8"
    text = decoder("surrogateescape").decode(head)
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if not line.isascii()]
    # Accents of Windows-1252 are almost never valid UTF-8.
    valid = [number for number, line in lines if not re.search("[\udc80-\udcff]", line)]
    if len(lines) <= 2 * len(valid):
        return "UTF-8"  # but for a few lines, where the file is damaged
    if valid:
        raise UnreadableError(f"is Windows-1252 text, but UTF-8 in line {valid[0]:,}")
    return "Windows-1252"


def _rows(lines: list[str], delimiter: str) -> list[Row]:
    """Return the rows that are not blank, and do not tell Excel the delimiter."""
    rows: list[Row] = []
    start, reader = 1, csv.reader(lines, delimiter=delimiter)
    with suppress(csv.Error):  # what was read before is enough
        for cells in reader:
            row = Row(start, reader.line_num, [cell.strip() for cell in cells])
            if any(row.cells) and not (start == 1 and FOR_EXCEL.match(lines[0])):
                rows.append(row)
            start = reader.line_num + 1
    return rows or [Row(1, 1, [""])]


def _find_bad_line(stream: BinaryIO, dialect: Dialect) -> None:
    """Raise an error that names the first line which does not fit the header, if there is one."""
    stream.seek(0)
    encoding, delimiter, names, skipped = dialect
    codec = "utf-8-sig" if encoding == "UTF-8" else encoding
    text = TextIOWrapper(stream, codec, errors="surrogateescape", newline="")
    start = 1
    try:
        while start <= skipped:
            text.readline().encode()
            start += 1
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        for row in reader:
            "".join(row).encode()  # fails if something was not decoded
            if row and len(row) != len(names):
                raise UnreadableError(
                    f"has {counted(len(row), 'value')} in line {start:,}, "
                    f"but {counted(len(names), 'column')} in its header"
                )
            start = skipped + reader.line_num + 1
    except UnicodeError:
        raise UnreadableError(f"is {encoding} text, but damaged in line {start:,}") from None
    except csv.Error:
        raise UnreadableError(f"has a quote in line {start:,} that does not end") from None
    finally:
        text.detach()
