"""Make features with the project's `add_features`: the single place where rows get features."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..errors import UserError
from ..problem.columns import Inference, infer

AddFeatures = Callable[[pd.DataFrame], pd.DataFrame]
PLACE = "add_features in preparation/features.py"


def make_features(inputs: pd.DataFrame, add_features: AddFeatures) -> pd.DataFrame:
    """Return the features of rows: in training, in batch scoring and in the service."""
    features = add_features(inputs.copy(deep=False))  # which it may add columns to
    if not isinstance(features, pd.DataFrame) or not features.index.equals(inputs.index):
        raise UserError(f"{PLACE} must return a DataFrame with the rows it was given, in order.")
    return features


def feature_kind(
    feature: pd.Series, inputs: pd.DataFrame, kinds: dict[str, Inference]
) -> Inference:
    """Return the kind of a feature: that of the input, unless other values took its name."""
    name = str(feature.name)
    same = name in kinds and feature.dtype == inputs[name].dtype
    return kinds[name] if same else infer(feature)


def check_finite(features: pd.DataFrame) -> pd.DataFrame:
    """Return the features, or raise a UserError if one is infinite."""
    numbers = features.select_dtypes("number")
    check_finite_numbers(numbers.to_numpy(), list(numbers.columns))
    return features


def check_finite_numbers(numbers: np.ndarray, names: list[str]) -> None:
    """Raise a UserError if there is an infinite value in columns of numbers, (rows, names)."""
    infinite = np.isinf(numbers)
    if infinite.any():
        name = names[infinite.any(axis=0).argmax()]
        raise UserError(f'{PLACE} makes infinite values in "{name}"; a division by zero?')
