"""What kinds of columns there are, how a kind is inferred, and how values are converted to it.

Training files, files to score and rows sent over HTTP all pass through `convert`, so the same
value means the same thing everywhere.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from pydantic import BaseModel

from ..report import counted
from . import numbers
from .dates import NO_DATES, find_format, parse
from .settings import Kind

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
        The training values of a category, the most frequent first; of very many not all.
    date_format : str
        How dates are written, where they are not ISO 8601.
    decimal : str
        The decimal sign of numbers that are written as text; "" where only plain ones are known.
    unit : str
        What was taken off each number, "€" say; "seconds" of durations.
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
    decimal: str = ""
    unit: str = ""
    example: str | float | None = None

    @property
    def written(self) -> str:
        """How its values are written as text: the format of dates, or the notation of numbers."""
        return self.date_format or self.decimal + self.unit


@dataclass(frozen=True)
class Inference:
    """The kind of a column, why, and how its values are written; of dates also what else fits."""

    kind: Kind
    reason: str
    written: str = ""
    doubt: str = ""


Kinds = dict[str, Inference]


class ConversionError(ValueError):
    """Values that do not fit their column's kind: which rows, the first value, what is allowed."""

    def __init__(self, name: str, wrong: pd.Series, expected: str) -> None:
        self.name = name
        self.rows = np.flatnonzero(wrong.notna().to_numpy())  # their positions
        value = wrong.iloc[self.rows[0]]
        self.value = value.item() if hasattr(value, "item") else value  # 58, not np.int64(58)
        self.expected = expected
        more = len(self.rows) - 1
        others = f" and {counted(more, 'more row')}" if more else ""
        label = wrong.index[self.rows[0]]  # of a part of the rows: its number among all
        row = label if isinstance(label, int | np.integer) else self.rows[0]
        super().__init__(
            f'column "{name}" has {self.value!r} in row {row + 1:,}{others}, but must be {expected}'
        )


def infer(values: pd.Series, stated: str = "", decimal: str = "") -> Inference:
    """Infer the kind of a column from its values.

    What [columns.kinds] says of it may be `stated`: a kind, or the format of dates. `decimal` is
    the sign of numbers in texts that do not show it.
    """
    if "%" in stated:
        return Inference("date", "holds dates", stated)
    if stated == "date":
        return Inference("date", "holds dates", *(find_format(values, sought=True) or ()))
    found = _infer(values, decimal)
    kind = cast("Kind", stated or found.kind)
    if found.kind == kind:
        return found
    sought = kind == "number" and values.dtype in ("str", object)
    written = tell(values, decimal, sought=True)[0] if sought else ""
    return Inference(kind, "is set in [columns.kinds]", written or "")


def doubts(kinds: Kinds) -> list[str]:
    """Say of which dates the day may be the month."""
    return [
        f'"{name}" is read as {kind.written}, but {kind.doubt} fits as well; where that is '
        f'right, say "{name}" = "{kind.doubt}" in [columns.kinds].'
        for name, kind in kinds.items()
        if kind.doubt
    ]


def tell(values: pd.Series, decimal: str = "", *, sought: bool = False) -> tuple[str | None, str]:
    """Tell how numbers are written, by Arrow, which the image of a service lacks."""
    from .notation import tell

    return tell(values, decimal, sought=sought)


def _infer(values: pd.Series, decimal: str) -> Inference:
    present = values.dropna()
    if isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(values):
        return Inference("category", "holds labels")
    if pd.api.types.is_datetime64_any_dtype(values):
        return Inference("date", "holds dates")
    if pd.api.types.is_numeric_dtype(values):
        return Inference("number", "holds numbers", decimal)
    if pd.api.types.is_timedelta64_dtype(values):
        return Inference("number", "holds durations, as seconds", numbers.SECONDS)
    if present.empty:
        return Inference("category", "is empty")
    texts = present.iloc[:SAMPLE_ROWS].astype(str).str.strip()
    notation, reason = tell(present, decimal)
    if notation is not None and numbers.parse(texts, notation).notna().all():
        return Inference("number", reason, notation)
    written = None if texts.str.isdecimal().all() else find_format(present)
    if written:
        note = f", written {written[0]} ({written[1]} would fit as well)" if written[1] else ""
        return Inference("date", f"holds dates{note}", *written)
    if reason and notation is None:
        return Inference("category", reason)
    words = texts.str.split().str.len().mean()
    if words > TEXT_WORDS and texts.nunique() > len(texts) / 2:
        return Inference("text", f"holds {words:.0f} words on average")
    number = present.nunique()
    return Inference("category", f"holds {number:,} labels" if number > 1 else "holds one label")


def convert(values: pd.Series, kind: Kind, written: str = "") -> pd.Series:
    """Bring `values` to the one representation of their kind; missing stays missing."""
    name = str(values.name)
    if kind == "number":
        if values.dtype == "float64" and not (np.abs(values.to_numpy()) > LARGEST).any():
            return values
        found = numbers.parse(values, written)
        unit = f', with or without "{written[1:]}"' if written[1:] else ""
        _refuse(name, values, found.isna() & values.notna(), f"a number{unit}")
        _refuse(name, values, found.abs() > LARGEST, f"a finite number, {LARGEST:g} at most")
        return found
    if kind == "date":
        dates = parse(values, written)
        pattern = f"{written} or ISO 8601" if written else "ISO 8601, like 2026-01-31"
        wrong = dates.isna() & values.notna()
        if wrong.any():
            wrong &= ~values.isin(NO_DATES)
        _refuse(name, values, wrong, f"a date ({pattern})")
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


def describe(values: pd.Series, kind: Kind, written: str = "") -> Column:
    """Write the contract of a column from its converted training values."""
    present = values.dropna()
    required = len(present) == len(values)
    column = Column(name=str(values.name), kind=kind, required=required)
    if kind == "date":
        column.date_format = written
    if kind == "number":
        column.decimal, column.unit = written[:1], written[1:]
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


def _refuse(name: str, values: pd.Series, wrong: pd.Series, expected: str) -> None:
    if wrong.any():
        raise ConversionError(name, values.where(wrong), expected)
