"""Columns as numbers or labels, and what is said about each of them."""

import numpy as np
import pandas as pd

from ..preparation.schema import Schema
from ..problem.columns import Column
from ..problem.settings import Kind

DAY = pd.Timedelta(days=1)
FENCE = 1.5  # interquartile ranges between the box and what counts as an outlier


def as_numbers(values: pd.Series, kind: Kind) -> pd.Series:
    """Return a number for each row: a date as days since 1970, a text as its number of words."""
    if kind == "date":
        return (values - pd.Timestamp(0).as_unit("us")) / DAY  # ns would reach back to 1677 only
    if kind == "text":
        return values.str.split().str.len().astype("float64")
    return values.astype("float64")


def quartiles(numbers: pd.Series) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile; NaN where all is missing."""
    low, middle, high = numbers.quantile([0.25, 0.5, 0.75])
    return low, middle, high


def fences(numbers: pd.Series) -> tuple[float, float]:
    """Return the limits beyond which a number is an outlier.

    The rule of Tukey (1977): 1.5 interquartile ranges from the quartiles. It says nothing where
    the middle half of the numbers are equal; then the limits are infinite.
    """
    low, _, high = quartiles(numbers)
    reach = FENCE * (high - low)
    return (low - reach, high + reach) if reach > 0 else (-np.inf, np.inf)


def describe_columns(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return one row for each feature: its kind, gaps, range and outliers, from all `rows`."""
    return pd.DataFrame([_describe(rows[c.name], c) for c in schema.features]).set_index("column")


def _describe(values: pd.Series, column: Column) -> dict[str, object]:
    present = values.dropna()
    said: dict[str, object] = {
        "column": column.name,
        "kind": column.kind,
        "missing": 1 - len(present) / len(values),
        "distinct": present.nunique(),
        "minimum": None,
        "median": None,
        "maximum": None,
        "most frequent": None,
        "outliers": None,
    }
    if present.empty or column.kind == "text":
        return said
    if column.kind == "category":
        counts = present.value_counts()
        return said | {"most frequent": f"{counts.index[0]} ({counts.iloc[0] / len(present):.0%})"}
    middle = {"minimum": present.min(), "median": present.median(), "maximum": present.max()}
    if column.kind == "date":
        return said | {name: moment.date() for name, moment in middle.items()}
    low, high = fences(present)
    return said | middle | {"outliers": int(((present < low) | (present > high)).sum())}
