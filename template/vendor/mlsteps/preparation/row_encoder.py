"""The fitted encoder without its checks: the same numbers to the last bit, many times faster.

For one row, scikit-learn spends milliseconds on validating its input. What the transformers that it
is mostly made of have fitted is a few arrays; here these are applied as they are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from .features import check_finite, check_finite_numbers
from .transformers import Clipper

Part = Callable[[pd.DataFrame], np.ndarray]
Step = Callable[[np.ndarray], np.ndarray]

UNKNOWN = "\0"  # stands for all labels that training did not have


class RowEncoder:
    """Turns features into numbers as `encoder` does.

    Parameters
    ----------
    encoder
        Fitted. Transformers that this module has no arrays for are called as they are.
    """

    def __init__(self, encoder: ColumnTransformer) -> None:
        self._parts = [_call(encoder)]
        if type(encoder) is ColumnTransformer and not encoder.transformer_weights:
            parts = [
                part for part in encoder.transformers_ if part[1] != "drop" and np.size(part[2])
            ]
            if all(_are_names(columns) for _, _, columns in parts):
                self._parts = [_part(transformer, columns) for _, transformer, columns in parts]

    def encode(self, features: pd.DataFrame) -> np.ndarray:
        """Return the numbers of each row, (rows, numbers) of float64."""
        return np.hstack([part(features) for part in self._parts])


def _are_names(columns: object) -> bool:
    return isinstance(columns, str) or (
        isinstance(columns, list) and all(isinstance(name, str) for name in columns)
    )


def _part(transformer: Any, columns: list[str]) -> Part:
    if isinstance(transformer, OneHotEncoder | OrdinalEncoder) and _is_table(transformer):
        return _labels(transformer, columns)
    if type(transformer) is Pipeline:
        steps = [_step(step) for _, step in transformer.steps]
        if None not in steps:
            return _numbers([step for step in steps if step], columns)
    return _call(transformer, columns)


def _call(transformer: Any, columns: list[str] | None = None) -> Part:
    transform = transformer.transform

    def part(features: pd.DataFrame) -> np.ndarray:
        check_finite(features)
        numbers = transform(features if columns is None else features[columns])
        return numbers.toarray() if hasattr(numbers, "toarray") else np.asarray(numbers)

    return part


def _numbers(steps: list[Step], columns: list[str]) -> Part:
    index = pd.Index(columns)

    def part(features: pd.DataFrame) -> np.ndarray:
        if features.columns.equals(index):
            numbers = features.to_numpy(dtype="float64")
        else:  # faster than features[columns]
            numbers = np.column_stack([features[name].to_numpy("float64") for name in columns])
        check_finite_numbers(numbers, columns)
        for step in steps:
            numbers = step(numbers)
        return numbers

    return part


def _step(transformer: Any) -> Step | None:
    """Return what a fitted transformer does to an array, or None if it is not known here."""
    kind = type(transformer)
    if kind is Clipper:
        low, high = transformer.low_, transformer.high_
        return lambda numbers: np.clip(numbers, low, high)
    if kind is SimpleImputer and transformer.keep_empty_features:
        return _impute(transformer) if pd.isna(transformer.missing_values) else None
    if kind is StandardScaler and transformer.with_mean and transformer.with_std:
        mean, scale = transformer.mean_, transformer.scale_
        return lambda numbers: (numbers - mean) / scale
    if kind is MinMaxScaler and not transformer.clip:
        scale, least = transformer.scale_, transformer.min_
        return lambda numbers: numbers * scale + least
    return None


def _impute(imputer: SimpleImputer) -> Step:
    usual = np.nan_to_num(imputer.statistics_)  # an empty column becomes 0
    marked = imputer.indicator_.features_ if imputer.add_indicator else []

    def step(numbers: np.ndarray) -> np.ndarray:
        missing = np.isnan(numbers)
        return np.hstack([np.where(missing, usual, numbers), missing[:, marked]])

    return step


def _is_table(encoder: OneHotEncoder | OrdinalEncoder) -> bool:
    """Return whether the encoder takes any label, and was fitted to text or missing labels only."""
    labels = [label for categories in encoder.categories_ for label in categories]
    return (
        type(encoder) in (OneHotEncoder, OrdinalEncoder)
        and encoder.handle_unknown not in ("error", "warn")
        and getattr(encoder, "drop", None) is None
        and not getattr(encoder, "sparse_output", False)
        and all(isinstance(label, str) or pd.isna(label) for label in labels)
    )


def _labels(encoder: OneHotEncoder | OrdinalEncoder, columns: list[str]) -> Part:
    """Encode each label once, and an unknown and a missing one; rows then look theirs up."""
    widths = _widths(encoder)
    ends = np.cumsum(widths)
    tables = []
    for place, column in enumerate(columns):
        known = [label for label in encoder.categories_[place] if isinstance(label, str)]
        labels = [*known, UNKNOWN, None]
        rows = pd.DataFrame(dict.fromkeys(columns, pd.Series(labels, dtype="str")))
        numbers = np.asarray(encoder.transform(rows))[:, ends[place] - widths[place] : ends[place]]
        tables.append((column, {label: k for k, label in enumerate(labels)}, numbers))

    def part(features: pd.DataFrame) -> np.ndarray:
        found = []
        for column, places, numbers in tables:
            values = features[column].tolist()
            # A missing value is the only one that is not equal to itself.
            rows = [places.get(v if v == v else None, len(numbers) - 2) for v in values]  # noqa: PLR0124
            found.append(numbers[rows])
        return np.hstack(found)

    return part


def _widths(encoder: OneHotEncoder | OrdinalEncoder) -> list[int]:
    """Return how many numbers a fitted encoder makes of each column."""
    if isinstance(encoder, OrdinalEncoder):
        return [1] * len(encoder.categories_)
    rare = encoder.infrequent_categories_
    return [
        len(known) - (0 if few is None else len(few) - 1)
        for known, few in zip(encoder.categories_, rare, strict=True)
    ]
