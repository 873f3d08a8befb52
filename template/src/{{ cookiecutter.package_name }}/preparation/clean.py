"""Clean the rows that are collected, before they are split and typed.

Rows to predict do not pass here: what has to be the same for them belongs in `features.py`.
"""

import pandas as pd


def clean(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to train and test with.

    Drop rows that say nothing, or correct wrong labels, each row by itself: what is computed from
    several rows belongs in `encoder.py`, where it is fitted on training rows only. Keep the index:
    it tells which row is which.

    Examples
    --------
    Where loans of 0 are trials of the form, the body could be::

        return rows[rows["amount"] > 0]
    """
    return rows
