"""What kinds of columns there are, how a kind is inferred, and how values are converted to it.

Training files, files to score and rows sent over HTTP all pass through `convert`, so the same
value means the same thing everywhere.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import BaseModel

from .settings import Kind

# ISO 8601 is tried first. Day first is the habit in most of the world, so it wins a tie.
DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%d %b %Y", "%b %d, %Y")
DATE_FORMATS = [f"{day}{time}" for day in DAYS for time in ("", " %H:%M", " %H:%M:%S")]
AMBIGUOUS = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y"}
TEXT_WORDS = 3  # a column whose values have more words than this, on average, is text
LARGEST = 1e30  # trees compute with 32 bits, and scaling squares
MOST_CATEGORIES = 10_000  # of a column that are remembered
SHOWN_CATEGORIES = 100  # of them, in a description
SAMPLE_ROWS = 10_000  # enough to tell a kind; `convert` checks every row


class Column(BaseModel):
    """One column that the model is given: the contract of files and of requests alike.

    Parameters
    ----------
    name : str
    kind : {"number", "category", "date", "text"}
    required : bool
        No training row lacked it, so a request without it is refused.
    minimum, maximum : float, optional
        The training range of a number.
    categories : list of str
        The training values of a category, the most frequent first, `MOST_CATEGORIES` at most.
    date_format : str
        How dates are written, where they are not ISO 8601.
    example : str or float, optional
        A typical value.

    Examples
    --------
    >>> Column(name="age", kind="number", minimum=18, maximum=90).required
    False
    """

    name: str
    kind: Kind
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: list[str] = []
    date_format: str = ""
    example: str | float | None = None


@dataclass(frozen=True)
class Inference:
    """The kind of a column and why."""

    kind: Kind
    reason: str
    date_format: str = ""


class ConversionError(ValueError):
    """Values that do not fit their column's kind: which rows, the first value, what is allowed."""

    def __init__(self, name: str, wrong: pd.Series, expected: str) -> None:
        self.name = name
        self.rows = np.flatnonzero(wrong.notna().to_numpy())  # their positions
        value = wrong.iloc[self.rows[0]]
        self.value = value.item() if hasattr(value, "item") else value  # 58, not np.int64(58)
        self.expected = expected
        others = f" and {len(self.rows) - 1:,} more rows" if len(self.rows) > 1 else ""
        super().__init__(
            f'column "{name}" has {self.value!r} in row {self.rows[0] + 1:,}{others}, '
            f"but must be {expected}"
        )


def infer(values: pd.Series) -> Inference:
    """Infer the kind of a column from its values."""
    present = values.dropna()
    if isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(values):
        return Inference("category", "holds labels")
    if pd.api.types.is_datetime64_any_dtype(values):
        return Inference("date", "holds dates")
    if pd.api.types.is_numeric_dtype(values):
        return Inference("number", "holds numbers")
    if present.empty:
        return Inference("category", "is empty")
    texts = present.iloc[:SAMPLE_ROWS].astype(str).str.strip()
    if pd.to_numeric(texts, errors="coerce").notna().all():
        if texts.str.match(r"0\d").any():
            return Inference("category", "holds codes that begin with 0")
        return Inference("number", "holds numbers written as text")
    date_format = _date_format(texts)
    if date_format is not None:
        other = AMBIGUOUS.get(date_format)
        doubt = other and _dates(texts, other).notna().all()
        note = ", day before month (month first would fit as well)" if doubt else ""
        return Inference("date", f"holds dates{note}", date_format)
    words = texts.str.split().str.len().mean()
    if words > TEXT_WORDS and texts.nunique() > len(texts) / 2:
        return Inference("text", f"holds {words:.0f} words on average")
    number = present.nunique()
    return Inference("category", f"holds {number:,} labels" if number > 1 else "holds one label")


def convert(values: pd.Series, kind: Kind, date_format: str = "") -> pd.Series:
    """Bring `values` to the one representation of their kind; missing stays missing."""
    name = str(values.name)
    if kind == "number":
        if values.dtype == "float64" and not (np.abs(values.to_numpy()) > LARGEST).any():
            return values
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        _refuse(name, values, numbers.isna() & values.notna(), "a number")
        _refuse(name, values, numbers.abs() > LARGEST, f"a finite number, {LARGEST:g} at most")
        return numbers
    if kind == "date":
        dates = _dates(values, date_format or "ISO8601")
        if date_format:  # ISO 8601 is understood whatever the file's own way is
            dates = dates.fillna(_dates(values, "ISO8601"))
        pattern = f"{date_format} or ISO 8601" if date_format else "ISO 8601, like 2026-01-31"
        _refuse(name, values, dates.isna() & values.notna(), f"a date ({pattern})")
        return dates
    return labels(values)


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or one that is missing in every row if `frame` has none of this name."""
    if name in frame.columns:
        return frame[name]
    return pd.Series(None, index=frame.index, dtype="str", name=name)


def labels(values: pd.Series) -> pd.Series:
    """Write values as text so that 1, 1.0 and "1" are one label; missing stays missing."""
    if values.dtype == "str":
        return values.str.strip()
    if values.dtype == object:
        return values.map(label, na_action="ignore").astype("str").where(values.notna())
    texts = values.astype("str").str.strip().where(values.notna())
    return texts.str.removesuffix(".0") if pd.api.types.is_float_dtype(values) else texts


def label(value: object) -> str:
    """Write one value as `labels` does."""
    text = str(value).strip()
    return text.removesuffix(".0") if isinstance(value, float) else text


def describe(values: pd.Series, kind: Kind, date_format: str = "") -> Column:
    """Write the contract of a column from its converted training values."""
    present = values.dropna()
    required = len(present) == len(values)
    column = Column(name=str(values.name), kind=kind, required=required, date_format=date_format)
    if present.empty:
        return column
    if kind in ("number", "date"):
        middle = present.sort_values().iloc[len(present) // 2]
        if kind == "date":
            column.example = middle.isoformat()
        else:
            column.minimum, column.maximum = float(present.min()), float(present.max())
            column.example = float(middle)
        return column
    frequent = present.value_counts().index
    column.example = str(frequent[0])
    if kind == "category":
        column.categories = [str(value) for value in frequent[:MOST_CATEGORIES]]
    return column


def _dates(values: pd.Series, date_format: str) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):  # pandas would read 7 as 7 ns after 1970
        values = values.astype(object).map(str, na_action="ignore")
    dates = pd.to_datetime(values, format=date_format, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).dt.as_unit("us")


def _date_format(texts: pd.Series) -> str | None:
    """Return the format in which all `texts` are dates ("" is ISO 8601), or None."""
    if not texts.str.contains(r"\d[-/. ,]", regex=True).all():
        return None
    if _dates(texts, "ISO8601").notna().all():
        return ""
    return next((f for f in DATE_FORMATS if _dates(texts, f).notna().all()), None)


def _refuse(name: str, values: pd.Series, wrong: pd.Series, expected: str) -> None:
    if wrong.any():
        raise ConversionError(name, values.where(wrong), expected)
