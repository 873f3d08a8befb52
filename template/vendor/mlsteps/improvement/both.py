"""What two versions answered to the same questions."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class PairedPredictions:
    """The test rows, which neither version has learnt from.

    Attributes
    ----------
    target : Series of (n,)
        True values.
    answers, rival_answers : DataFrame of n rows
        Of the champion and of the challenger.
    group : Series of (n,) or None
        Rows that are alike.
    """

    target: pd.Series
    predictions: pd.DataFrame
    rival_predictions: pd.DataFrame
    group: pd.Series | None
