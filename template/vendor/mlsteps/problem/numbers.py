"""How numbers are written: decimal sign, thousands, money, per cent, units and durations.

It is a short text: the decimal sign, then the unit, like ",€"; "" for what Python writes.
"""

import re

import pandas as pd

SECONDS = ".seconds"  # durations, however they are written
SPACE = "[ \u00a0\u202f\u2009]"
QUOTE = "['\u2019]"
EXPONENT = r"(?:[eE][+-]?\d+)?"
PLAIN = rf"^[+-]?(\d+\.?\d*|\.\d+){EXPONENT}$"
MINUS = r"^(.*[.,]\d\d)-$"  # behind, as accountants write it; "2-" may be a mark
DAYS, CLOCK = r"^-?(\d+ days?,? )?", r"\d+:[0-5]\d"
PARTS = r"^(\d+(\.\d+)? ?(days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s) ?)+$"
DURATION = rf"{DAYS}{CLOCK}(:[0-5]\d(\.\d+)?)?$|{PARTS}"


def grouped(decimal: str) -> str:
    """Return the pattern of numbers with this decimal sign, their thousands separated or not."""
    other = {",": "[.]", ".": "[,]"}.get(decimal, SPACE)
    # Without double braces, which Jinja would read when a project is rendered.
    thousands = rf"[1-9]\d?\d?(?:(?:{other}|{QUOTE}|{SPACE})\d\d\d)+"
    lakhs = rf"[1-9]\d?(?:{other}\d\d)+{other}\d\d\d"
    return rf"^[+-]?(?:{thousands}|{lakhs}|\d+)(?:[{decimal or '.'}]\d+)?{EXPONENT}$"


def separators(decimal: str) -> str:
    """Return the pattern of what stands between the thousands of numbers with a decimal sign."""
    return f"[{'.' if decimal == ',' else ','}]|{QUOTE}|{SPACE}"


def parse(values: pd.Series, written: str = "") -> pd.Series:
    """Return numbers, NaN where a value is none; plain ones are always understood."""
    if pd.api.types.is_numeric_dtype(values):
        return pd.to_numeric(values, errors="coerce").astype("float64")
    if pd.api.types.is_timedelta64_dtype(values):
        return values.dt.total_seconds()
    is_text = values.notna().to_numpy()
    if values.dtype != "str":
        is_text = values.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    numbers = pd.to_numeric(values.mask(is_text), errors="coerce").astype("float64")
    texts = values[is_text].astype("str").str.strip()
    numbers[is_text] = read(texts, written).to_numpy()
    return numbers


def read(texts: pd.Series, written: str) -> pd.Series:
    """Return the numbers that texts stand for, NaN where one is none.

    Without Arrow, which the image of a service lacks.
    """
    sign, unit = written[:1], written[1:]
    if sign != "," and texts.str.fullmatch(PLAIN).all():
        return texts.astype("float64")
    texts = texts.str.replace("−", "-", regex=False)
    for minus in (r"^\((.*)\)$", MINUS):
        texts = texts.str.replace(minus, r"-\1", regex=True)
    if written == SECONDS:
        texts = _seconds(texts)
    elif unit:
        unit = re.escape(unit)
        texts = texts.str.replace(rf"^([+-]?){SPACE}*{unit}{SPACE}*", r"\1", regex=True)
        texts = texts.str.replace(rf"{SPACE}*{unit}$", "", regex=True)
    plain, fits = texts.str.fullmatch(PLAIN), texts.str.fullmatch(grouped(sign))
    ungrouped = texts.str.replace(separators(sign), "", regex=True)
    ungrouped = ungrouped.str.replace(sign or ".", ".", regex=False)
    return ungrouped.where(fits, texts.where(plain)).astype("float64")


def write(numbers: pd.Series, written: str) -> pd.Series:
    """Write numbers as texts that `parse` reads."""
    texts = numbers.map("{:.15g}".format, na_action="ignore").astype("str")
    return texts.str.replace(".", written[:1] or ".", regex=False) + written[1:]


def _seconds(texts: pd.Series) -> pd.Series:
    """Write durations as numbers of seconds; what is none stays as it is."""
    found = (texts + ":00").where(texts.str.fullmatch(f"{DAYS}{CLOCK}$"), texts)
    different = found[found.str.fullmatch(DURATION)].drop_duplicates()  # each takes long
    seconds = pd.to_timedelta(different).dt.total_seconds().astype("str")
    numbers = found.map(dict(zip(different, seconds, strict=True)))
    return numbers.where(numbers.notna(), texts).astype("str")
