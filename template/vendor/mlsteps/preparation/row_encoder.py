"""The fitted encoder without its checks: the same numbers to the last bit, many times sooner.

For one row, scikit-learn spends milliseconds on looking at its input. What the parts of the encoder
have learnt is a few arrays; here they are applied as they are.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from .features import check_finite, refuse_infinite
from .transformers import Clipper

Part = Callable[[pd.DataFrame], np.ndarray]
Step = Callable[[np.ndarray], np.ndarray]

UNHEARD_OF = "\0"  # stands for all labels that training did not have


class RowEncoder:
    """Turns features into numbers as `encoder` does, and refuses infinite ones.

    Parameters
    ----------
    encoder
        Fitted, from `build_encoder`. A part that is not known here is asked itself.
    """

    def __init__(self, encoder: ColumnTransformer) -> None:
        self._parts = [
            _part(transformer, list(columns))
            for _, transformer, columns in encoder.transformers_
            if len(columns) and not isinstance(transformer, str)
        ]

    def encode(self, features: pd.DataFrame) -> np.ndarray:
        """Return the numbers of each row, float64."""
        return np.hstack([part(features) for part in self._parts])


def _part(transformer: object, columns: list[str]) -> Part:
    if isinstance(transformer, OneHotEncoder | OrdinalEncoder):
        return _labels(transformer, columns)
    if isinstance(transformer, Pipeline):
        steps = [_step(step) for step in transformer.named_steps.values()]
        if None not in steps:
            return _numbers([step for step in steps if step], columns)
    ask = transformer.transform  # type: ignore[attr-defined]
    return lambda features: np.asarray(ask(check_finite(features[columns])))


def _numbers(steps: list[Step], columns: list[str]) -> Part:
    index = pd.Index(columns)

    def part(features: pd.DataFrame) -> np.ndarray:
        if features.columns.equals(index):
            numbers = features.to_numpy(dtype="float64")
        else:  # sooner than features[columns]
            numbers = np.column_stack([features[name].to_numpy("float64") for name in columns])
        refuse_infinite(numbers, columns)
        for step in steps:
            numbers = step(numbers)
        return numbers

    return part


def _step(transformer: object) -> Step | None:
    """Return what a fitted transformer does to an array; None if it is not known here."""
    if isinstance(transformer, Clipper):
        low, high = transformer.low_, transformer.high_
        return lambda numbers: np.clip(numbers, low, high)
    if isinstance(transformer, SimpleImputer) and transformer.keep_empty_features:
        return _impute(transformer)
    if isinstance(transformer, StandardScaler):
        mean, scale = transformer.mean_, transformer.scale_
        return lambda numbers: (numbers - mean) / scale
    if isinstance(transformer, MinMaxScaler) and not transformer.clip:
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


def _labels(encoder: OneHotEncoder | OrdinalEncoder, columns: list[str]) -> Part:
    """Ask the encoder for every label it knows, one it does not, and none; and remember."""
    widths = label_widths(encoder)
    ends = np.cumsum(widths)
    tables = []
    for place, column in enumerate(columns):
        labels = [*(c for c in encoder.categories_[place] if isinstance(c, str)), UNHEARD_OF, None]
        asked = pd.DataFrame(dict.fromkeys(columns, pd.Series(labels, dtype="str")))
        numbers = np.asarray(encoder.transform(asked))[:, ends[place] - widths[place] : ends[place]]
        tables.append((column, {label: k for k, label in enumerate(labels)}, numbers))

    def part(features: pd.DataFrame) -> np.ndarray:
        found = []
        for column, places, numbers in tables:
            values = features[column].tolist()
            # A missing value is the only one that is not itself.
            rows = [places.get(v if v == v else None, len(numbers) - 2) for v in values]  # noqa: PLR0124
            found.append(numbers[rows])
        return np.hstack(found)

    return part


def label_widths(encoder: OneHotEncoder | OrdinalEncoder) -> list[int]:
    """Return how many numbers a fitted encoder makes of each column."""
    if isinstance(encoder, OrdinalEncoder):
        return [1] * len(encoder.categories_)
    rare = encoder.infrequent_categories_
    return [
        len(known) - (0 if few is None else len(few) - 1)
        for known, few in zip(encoder.categories_, rare, strict=True)
    ]
