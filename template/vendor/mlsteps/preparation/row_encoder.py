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
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils import _safe_indexing

from .features import check_finite, check_finite_numbers
from .transformers import Clipper, SharedUnitScaler

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

    def __init__(self, encoder: ColumnTransformer | FeatureUnion) -> None:
        several = type(encoder) is FeatureUnion and not encoder.transformer_weights
        encoders = [each for _, each in encoder.transformer_list] if several else [encoder]
        self._parts = [part for each in encoders for part in _parts(each)]

    def encode(self, features: pd.DataFrame) -> np.ndarray:
        """Return the numbers of each row, (rows, numbers) of float64."""
        return np.hstack([part(features) for part in self._parts])


def _parts(encoder: Any) -> list[Part]:
    if type(encoder) is ColumnTransformer and not encoder.transformer_weights:
        return [
            _part(transformer, columns)
            for _, transformer, columns in encoder.transformers_
            if transformer != "drop" and np.size(columns)
        ]
    return [_call(encoder, slice(None))]


def _part(transformer: Any, columns: Any) -> Part:
    if isinstance(columns, list) and all(isinstance(name, str) for name in columns):
        if _looks_up(transformer):
            return _look_up(transformer, columns)
        steps = [_step(s) for s in transformer] if type(transformer) is Pipeline else [None]
        if None not in steps:
            return _numbers([step for step in steps if step], columns)
    return _call(transformer, columns)


def _call(transformer: Any, columns: Any) -> Part:
    transform = transformer.transform

    def part(features: pd.DataFrame) -> np.ndarray:
        check_finite(features)
        numbers = transform(_safe_indexing(features, columns, axis=1))
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
        return lambda numbers: np.clip(numbers, transformer.low_, transformer.high_)
    if (
        kind in (StandardScaler, SharedUnitScaler)
        and transformer.with_mean
        and transformer.with_std
    ):
        return lambda numbers: (numbers - transformer.mean_) / transformer.scale_
    if kind is MinMaxScaler and not transformer.clip:
        return lambda numbers: numbers * transformer.scale_ + transformer.min_
    if (
        kind is SimpleImputer
        and transformer.keep_empty_features
        and pd.isna(transformer.missing_values)
    ):
        usual = np.nan_to_num(transformer.statistics_)  # an empty column becomes 0
        marked = transformer.indicator_.features_ if transformer.add_indicator else []

        def impute(numbers: np.ndarray) -> np.ndarray:
            missing = np.isnan(numbers)
            return np.hstack([np.where(missing, usual, numbers), missing[:, marked]])

        return impute
    return None


def _looks_up(encoder: Any) -> bool:
    """Return whether an encoder takes any label, and was fitted to text and missing values only."""
    return (
        type(encoder) in (OneHotEncoder, OrdinalEncoder)
        and encoder.handle_unknown not in ("error", "warn")
        and getattr(encoder, "drop", None) is None
        and not getattr(encoder, "sparse_output", False)
        and all(isinstance(c, str) or pd.isna(c) for known in encoder.categories_ for c in known)
    )


def _look_up(encoder: OneHotEncoder | OrdinalEncoder, columns: list[str]) -> Part:
    """Encode each label once, and an unknown and a missing one; rows then look theirs up."""
    widths = [1] * len(columns)
    if isinstance(encoder, OneHotEncoder):  # the rare labels of a column share one number
        rare = [0 if few is None else len(few) - 1 for few in encoder.infrequent_categories_]
        widths = [len(known) - few for known, few in zip(encoder.categories_, rare, strict=True)]
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
