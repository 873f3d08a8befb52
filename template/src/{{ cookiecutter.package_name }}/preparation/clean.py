"""Clean the raw rows, before they are split and typed."""

import pandas as pd


def clean(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the project works with, corrected where they have to be.

    Rows may be dropped and values changed, each row by itself: what is computed from several rows
    belongs into `encoder.py`, where it is fitted on training rows only. The index has to stay, for
    it says which row is which.

    Examples
    --------
    Where an age of 999 means that it is not known, the body could be::

        return rows.assign(age=rows["age"].mask(rows["age"] == 999))
    """
    return rows
