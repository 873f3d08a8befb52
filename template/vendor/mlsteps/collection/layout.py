"""Find the table in a file that people wrote, with titles, units and sums around it."""

import re
from collections import Counter
from collections.abc import Container, Sequence
from textwrap import shorten
from typing import NamedTuple

from ..report import counted
from .arrow import UnreadableError, check_names

NUMBER = re.compile(r"\W*\d")  # or a date, or an amount of money
PLAIN = re.compile(r"[-+−(]?[.,]?\d[\d.,'\u2019\s]*\)?$")  # without a word or a unit
VALUE = re.compile(r"(?!(19|20)\d\d$)\W*\d")  # a year may be a name
UNIT = re.compile(
    r"[\[(].*[\])]|%|‰|°\s?[CF]?|[€$£¥]|EUR|USD|GBP|CHF|JPY|[Nn]umber|[Cc]ount|Anzahl|min|h|hrs?|hours?|d|days?|weeks?|months?"
    r"|y|yrs?|years?|sec|pcs|units?|ha|ppm|mmHg|ft|in|lbs?|oz|mi|mph|Jahre|Tage|Std|Stk|Stück|"
    r"[kMGTcdmµμn]?(g|m|s|l|L|t|W|Wh|J|V|A|K|N|Hz|Pa|B|mol|cal|bar|Ω)[²³23]?(/[a-zA-Z]+[²³23]?)?"
)
TOTAL = re.compile(
    r"\W*(grand |sub)?(totals?|sum|summe|(ins)?gesamt\w*|somme|totale|suma)\b", re.IGNORECASE
)
NOTE = re.compile(r"[*#©]|\W*(sources?|quelle|fuente|fonte|notes?|stand|as of)\b", re.IGNORECASE)
LAST = 20  # rows that may stand below a table


class Row(NamedTuple):
    """A row that is not blank, and the lines of the file from which to which it goes."""

    start: int
    end: int
    cells: list[str]

    def __str__(self) -> str:
        """Say which row it is."""
        return f'line {self.start:,} "{shorten(" ".join(self.cells), 40, placeholder=" …")}"'


def fit(rows: Sequence[Row]) -> tuple[int, int, int]:
    """Return how well lines were split: how many rows more have the usual width than have not.

    Where no table is found, the names decide, or else the fewest rows with more than one cell.
    """
    width = _usual_width(rows)
    fits = [len(row.cells) == width for row in rows]
    agree = sum(fits)
    more = 2 * agree - len(fits[fits.index(True) :]) if width else 0
    if more > 0 and 3 * agree >= len(rows):
        return more, agree, width
    return 0, len(rows[0].cells) > 1, -sum(len(row.cells) > 1 for row in rows)


def trim(rows: Sequence[Row]) -> tuple[list[Row], int]:
    """Return rows without empty cells at their ends, and how many of these most have."""
    width = _usual_width(rows)
    fitting = (row.cells for row in rows if len(row.cells) <= width)
    used = max((k for cells in fitting for k, cell in enumerate(cells, 1) if cell), default=width)
    ends = [row if any(row.cells[used:]) else row._replace(cells=row.cells[:used]) for row in rows]
    return ends, width - used


def find_head(
    rows: Sequence[Row], line: int, missing: Container[str]
) -> tuple[list[str], int, list[str]]:
    """Return the names of the columns, the last line before the values, and what is left out.

    The names stand in `line`, if that is not 0; units may stand under them.
    """
    found = [k for k, row in enumerate(rows) if row.start <= line <= row.end]
    if line and not found:
        raise UnreadableError(f"has no names in line {line:,}, where [data] header says they are")
    place = found[0] if found else _find_place(rows, missing)
    if not line and _are_numbers(rows[place].cells):
        raise UnreadableError(
            f"has numbers in line {rows[place].end:,}, where names of columns are expected; write "
            f"names above, or set [data] header = {rows[place].end} if these are names"
        )
    names, cells = _names(rows, place), rows[place].cells
    try:
        names = check_names(names)
    except UnreadableError as error:
        raise UnreadableError(
            f"{error}; if the names stand in another line, set [data] header to its number"
        ) from None
    used = {place, *([place - 1] if names != cells else [])}
    place += _has_units(rows[place + 1 :], missing)
    out = [str(row) for k, row in enumerate(rows[: place + 1]) if k not in used]
    return names, rows[place].end, out


def find_footer(rows: Sequence[Row], width: int) -> Sequence[Row]:
    """Return the rows below a table of some columns: sums, and notes."""
    first = len(rows)
    for k in range(first - 1, 0, -1) if width > 1 else ():
        cells, gap = rows[k].cells, rows[k].start > rows[k - 1].end + 1
        given = [cell.strip(" :") for cell in cells if cell]
        lone = len(given) == 1 and cells[0] and not NUMBER.match(cells[0])
        note = NOTE.match(cells[0]) and (lone or len(cells) < width)
        ends = TOTAL.fullmatch(given[0]) if len(given) == width else TOTAL.match(given[0])
        if ends or note or (lone and gap and (len(cells) < width or width > 2)):
            first = k
        elif not lone:
            break
    return rows[first:]


def _usual_width(rows: Sequence[Row]) -> int:
    """Return how many cells most rows have that have more than one; 0 if none has."""
    widths = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _find_place(rows: Sequence[Row], missing: Container[str]) -> int:
    """Return which row has the names: the first that is no title, if what follows agrees."""
    width = _usual_width(rows)
    wide = [k for k, row in enumerate(rows) if len(row.cells) == width and any(row.cells[1:])]
    place = first = wide[0] if wide else 0
    cells = rows[first].cells
    if cells[0].startswith("#") or "" in cells[1:] or len({*cells}) < len(cells):
        # A comment with as many commas, a line of metadata, or names in two rows.
        whole = (k for k in wide[1:LAST] if len({*_names(rows, k), ""}) == width + 1)
        place = next((k for k in whole if _are_names(rows[k:], missing)), first)
    gap = first > 0 and rows[first].start > rows[first - 1].end + 1
    named = gap and not any(map(VALUE.match, rows[place].cells))
    if place and not named and not _are_names(rows[place:], missing):
        place = 0
    count = len(rows[place].cells)
    if width and count != width:
        raise UnreadableError(
            f"has {counted(count, 'value')} in line {rows[place].end:,}, but {width} in "
            "most others; if the names stand below, set [data] header to the number of their line"
        )
    return place


def _are_names(rows: Sequence[Row], missing: Container[str]) -> bool:
    """Tell whether the first row has names for sure: words only, some of them above numbers."""
    cells = rows[0].cells
    years = sum(bool(NUMBER.match(cell)) for cell in cells)  # one may belong to a date
    words = years != 1 and not any(VALUE.match(c) or (c and c in missing) for c in cells)
    return words and any(c and _is_numeric(rows[1:], k, missing) for k, c in enumerate(cells))


def _has_units(rows: Sequence[Row], missing: Container[str]) -> bool:
    """Tell whether the first row has units, each above numbers."""
    given = [(k, cell) for k, cell in enumerate(rows[0].cells if rows else []) if cell.strip("-–")]
    plain = (_is_numeric(rows[1:], k, missing, PLAIN) for k, _ in given)
    return bool(given) and all(UNIT.fullmatch(cell) for _, cell in given) and all(plain)


def _is_numeric(
    rows: Sequence[Row], column: int, missing: Container[str], number: re.Pattern[str] = NUMBER
) -> bool:
    width = max((len(row.cells) for row in rows), default=0)
    cells = [row.cells[column] for row in rows if len(row.cells) == width > column]
    given = [bool(number.match(cell)) for cell in cells if cell not in missing]
    return sum(given) > len(given) / 2


def _are_numbers(cells: Sequence[str]) -> bool:
    """Tell whether a row has fractions, or whole numbers that do not go up as names do."""
    whole = all(map(str.isdecimal, cells)) and sorted(cells, key=int) != cells
    return whole or any(re.fullmatch(r"[-+]?\d+[.,]\d+", cell) for cell in cells)


def _names(rows: Sequence[Row], place: int) -> list[str]:
    """Return the names in a row, or in it and the one above, which may be over several columns."""
    lower, upper = rows[place].cells, rows[place - 1].cells if place else []
    if len(upper) != len(lower) or sum(map(bool, upper)) < 2:
        return lower
    names = [below or above for above, below in zip(upper, lower, strict=True)]
    if len(set(names)) == len(names):
        return names
    group, whole = "", []
    for above, below in zip(upper, lower, strict=True):
        group = above or group
        whole.append(f"{group} {below}".strip())
    return whole
