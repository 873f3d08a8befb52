"""What preparing makes: training rows, test rows and the schema."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .schema import Schema

# What travels beside the features in train.parquet and test.parquet. Names of collected columns
# have no blanks around them, so none can be one of these.
GROUP, DATE, KEY = " group", " date", " key"

TrainedOn = Callable[[pd.DataFrame], np.ndarray]  # which raw rows a champion was trained on


@dataclass(frozen=True)
class Sets:
    """Prepared rows.

    Attributes
    ----------
    features, rows
        What the model sees of each row, and what travels beside it.
    train, test : ndarray of bool, (rows,)
        Which rows are learnt from, and which are kept back.
    summary
        What was done, in a line.
    losses
        What was left out, by its name, and how the test set was taken.
    reasons
        Why each input has the kind that it has.
    """

    features: pd.DataFrame
    rows: pd.DataFrame
    train: np.ndarray
    test: np.ndarray
    schema: Schema
    summary: str
    losses: dict[str, object]
    reasons: dict[str, str]
