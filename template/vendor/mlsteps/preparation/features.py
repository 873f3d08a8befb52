"""Call the project's `add_features`, and say in a sentence what is wrong with what it does."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..errors import UserError

AddFeatures = Callable[[pd.DataFrame], pd.DataFrame]
PLACE = "add_features in preparation/features.py"


def make_features(inputs: pd.DataFrame, add_features: AddFeatures) -> pd.DataFrame:
    """Return the features of rows: in training, in batch scoring and in the service.

    Raises
    ------
    UserError
        If `add_features` loses rows.
    """
    features = add_features(inputs)
    if not isinstance(features, pd.DataFrame) or not features.index.equals(inputs.index):
        raise UserError(f"{PLACE} must return a DataFrame with the rows it was given, in order.")
    return features


def check_finite(features: pd.DataFrame) -> pd.DataFrame:
    """Return features that were made.

    Raises
    ------
    UserError
        If a value is infinite.
    """
    numbers = features.select_dtypes("number")
    refuse_infinite(numbers.to_numpy(), list(numbers.columns))
    return features


def refuse_infinite(numbers: np.ndarray, names: list[str]) -> None:
    """Refuse infinite values in columns of numbers.

    Raises
    ------
    UserError
        If there is one.
    """
    infinite = np.isinf(numbers)
    if infinite.any():
        name = names[infinite.any(axis=0).argmax()]
        raise UserError(f'{PLACE} makes infinite values in "{name}"; a division by zero?')
