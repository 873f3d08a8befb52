"""Tell how the numbers of columns and files are written, from their texts."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .numbers import DURATION, MINUS, PLAIN, QUOTE, SECONDS, SPACE, grouped, read, separators

# Only money may stand before a number: other words make names of numbers, as in "size 12" or "A12".
MONEY = r"(?:[A-Z]{0,3}\p{Sc}|CHF|EUR|USD|GBP|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|AUD|CAD|Rs\.?|Fr\.?)"
# A letter or a sign of a unit, said by what it is not: classes of letters take long to compile.
UNIT = r"[^\s\d!-#&-/:-@\[-`{-~][^\d,;:()+<>=~#?!]*[23]?"
WITH_UNIT = (
    rf"^\(?[+−-]?{SPACE}*(?P<before>{MONEY}?){SPACE}*[+−-]?"
    rf"(?P<number>\d(?:{SPACE}?(?:[\d.,]|{QUOTE}))*(?:[eE][+-]?\d+)?)"
    rf"{SPACE}*(?P<after>(?:{UNIT})?)\)?$"
)
SIGNED = r"\d[.,]\d"
NEARLY = 0.9  # of the numbers have the unit
LONGEST, MOST_UNITS = 12, 5  # characters of a unit; units that are named
LONG = r"^\d{19,}$"  # a fraction would lose the last digits of a code
PHONE = 11  # characters at least
FEW = 10  # whole numbers with a word, like "2 doors", are labels if no more are different
SAMPLE = 10_000  # values that tell the notation of a column


def ungroup(texts: pa.Array, decimal: str) -> pa.Array:
    """Write numbers of the pattern `grouped` as Python does."""
    texts = pc.replace_substring_regex(texts, separators(decimal), "")
    return pc.replace_substring(texts, decimal or ".", ".")


def are_codes(texts: pa.Array) -> bool:
    """Return whether some begin with 0 or are too long, or all are like phone numbers."""
    length = pc.min_max(pc.utf8_length(texts)).as_py()
    alike = length["min"] == length["max"] and (length["max"] or 0) >= PHONE
    zeros = pc.any(pc.match_substring_regex(texts, rf"^0(\d|{SPACE})*\d$|{LONG}")).as_py()
    return bool(zeros) or (alike and _all(texts, rf"^\+?\d+({SPACE}\d\d\d)+$"))


def count_signs(texts: pa.Array) -> np.ndarray:
    """Return how many numbers show a decimal comma, how many a point, and how many fit both.

    All are 0 where most of what has such a sign is no number.
    """
    signed = _signed(texts)
    fits = (pc.match_substring_regex(signed, grouped(sign)) for sign in ",.")
    comma, point = (np.asarray(fit, dtype=bool) for fit in fits)
    counts = np.array([(comma & ~point).sum(), (point & ~comma).sum(), (comma & point).sum()])
    return counts if 2 * counts.sum() >= len(signed) else np.zeros(3, int)


def _signed(texts: pa.Array) -> pa.Array:
    """Return the numbers in texts that have a comma or a point, null where that is no number."""
    signed = texts.filter(pc.match_substring_regex(texts, SIGNED))
    return pc.extract_regex(signed, WITH_UNIT).field("number")


def find_decimal(columns: Mapping[str, pa.Array], known: str, delimiter: str) -> tuple[str, str]:
    """Return the decimal sign that the columns of a file show together, and a doubt about it.

    `known` is the sign of other files; "" is returned where nothing depends on it.
    """
    counts = {name: count_signs(values) for name, values in columns.items()}
    comma, point, both = sum(counts.values(), np.zeros(3, int))
    words = {",": "decimal commas", ".": "decimal points"}
    signed = {name: columns[name] for name, found in counts.items() if found.any()}
    name = next(iter(signed), "")
    texts = pc.drop_null(_signed(signed[name])) if signed else [""]
    usual, other = (",", ".") if "," in str(texts[0]) else (".", ",")
    # Beside numbers without a sign, one that fits both stands before thousands.
    each = all(_all(v.filter(pc.match_substring_regex(v, r"\d")), SIGNED) for v in signed.values())
    english = delimiter == "," and not (each and usual == ",")
    if comma != point or (known == "," and both and english and len(columns) > 1):
        found = "," if comma > point else "."
        differs = known not in ("", found)
        return found, f"has {words[found]}, not {words.get(known)}; it is read so" * differs
    if known or not both or english:
        return known or "." * bool(both), ""
    found, other = (usual, other) if each and delimiter != "," else (other, usual)
    one, two = (_first(texts, sign) for sign in (found, other))
    remedy = f'set [data] decimal = "{other}" if it is {two:g}'
    return found, f'has "{texts[0]}" in "{name}", which is read as {one:g}; {remedy}'


def tell(values: pd.Series, decimal: str = "", *, sought: bool = False) -> tuple[str | None, str]:
    """Return how the numbers of a column of text are written, None if it has labels, and why.

    `decimal` is the sign where the values do not show it. Texts without a digit do not count, nor
    do others where numbers are `sought`; where they are not, what may be a label is one.
    """
    some = values.dropna().iloc[:: max(1, len(values) // SAMPLE)].astype("str").drop_duplicates()
    values = some.to_numpy(dtype=object)  # that come in one piece, however they were concatenated
    texts = pc.utf8_trim_whitespace(pa.array(values, pa.string()))
    texts = pc.replace_substring_regex(texts, MINUS, r"-\1")
    texts = texts.filter(pc.match_substring_regex(texts, r"\d"))
    if not len(texts):
        return None, ""
    found = pc.drop_null(pc.extract_regex(texts, WITH_UNIT))
    plain = _all(texts, PLAIN)
    numbers, units = (texts, []) if plain else (found.field("number"), _units(found))
    if len(units) != 1 and _all(texts, DURATION):
        return SECONDS, "holds durations, as seconds"
    comma, point, both = count_signs(numbers)
    sign = "," if comma > point else "." if point > comma else decimal
    written = (sign or ("" if plain else ".")) + (units[0] if len(units) == 1 else "")
    labels = _why_labels(numbers, units) if len(found) == len(texts) or plain else ""
    if not sought and labels is None and read(texts.to_pandas().astype("str"), written).hasnans:
        labels = ""
    if labels is not None and not sought:
        return None, labels or ""
    unit = f', "{units[0]}" taken off' if len(units) == 1 else ""
    example = texts.filter(pc.match_substring_regex(texts, SIGNED)).slice(0, int(both))
    doubt = both and (units or not sign)
    read_as = f', "{example[0]}" read as {_first(example, written):g}' if doubt else ""
    return written, f"holds numbers{unit}{read_as}"


def _all(texts: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py() is True


def _units(found: pa.Array) -> list[str]:
    """Return what stands before or after numbers; if only some have one, that is one more."""
    counts = Counter(
        pc.binary_join_element_wise(found.field("before"), found.field("after"), "").to_pylist()
    )
    without = counts.pop("", 0)
    some = [""] if counts and without > (1 - NEARLY) * len(found) else []
    return [unit for unit, _ in counts.most_common()] + some


def _why_labels(numbers: pa.Array, units: list[str]) -> str | None:
    """Return why numbers are labels, "" if it goes without saying; None if they are none."""
    if are_codes(numbers):
        return "holds codes that begin with 0 or have many digits, or phone numbers"
    if len(units) > 1:
        listed = ", ".join(f'"{unit}"' for unit in units)
        return f"holds numbers with different units: {listed}" if len(units) <= MOST_UNITS else ""
    unit = units[0] if units else ""
    whole = _all(numbers, r"^\d+$")
    code = len(unit) == 1 and unit.isupper() and whole
    money = len(unit) == 3 and unit.isupper()  # EUR, say
    word = unit.replace(" ", "").isalpha() and not money
    if code or (word and whole and len(numbers) <= FEW) or len(unit) > LONGEST:
        return f'holds {len(numbers):,} labels, numbers with "{unit}"'
    return None


def _first(texts: pa.Array, written: str) -> float:
    """Return the number that the first text stands for."""
    return float(read(pd.Series([texts[0].as_py()], dtype="str"), written)[0])
