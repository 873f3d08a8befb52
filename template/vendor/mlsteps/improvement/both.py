"""What two versions answered to the same questions."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Both:
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
    answers: pd.DataFrame
    rival_answers: pd.DataFrame
    group: pd.Series | None
