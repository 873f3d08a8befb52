"""Call `add_features`, and say in a sentence what is wrong with what it does."""

import numpy as np
import pandas as pd

from ..errors import UserError
from .features import add_features

PLACE = "add_features in preparation/features.py"


def make_features(inputs: pd.DataFrame) -> pd.DataFrame:
    """Return the features of rows: in training, in batch scoring and in the service.

    Raises
    ------
    UserError
        If `add_features` fails, loses rows or makes infinite values.
    """
    try:
        features = add_features(inputs)
    except Exception as error:  # it is the user's code, so anything can go wrong in it
        raise UserError(f"{PLACE} fails ({type(error).__name__}: {error}); correct it.") from error
    if not isinstance(features, pd.DataFrame) or not features.index.equals(inputs.index):
        raise UserError(f"{PLACE} must return a DataFrame with the rows it was given, in order.")
    numbers = features.select_dtypes("number")
    infinite = numbers.columns[np.isinf(numbers.to_numpy()).any(axis=0)]
    if len(infinite):
        raise UserError(f'{PLACE} makes infinite values in "{infinite[0]}"; a division by zero?')
    return features
