"""Which of the collected rows are used, to learn from and to test on."""

import pandas as pd

from .definition import Definition
from .keys import row_keys

DATE = " date"  # of a row; names of collected columns have no blanks around them


def find_repetitions(frame: pd.DataFrame, definition: Definition) -> pd.Series:
    """Return which rows are left out: they equal an earlier one, and count once."""
    once = counted_once(frame, definition)
    return once & row_keys(frame).duplicated() if once.any() else once


def counted_once(frame: pd.DataFrame, definition: Definition) -> pd.Series:
    """Return which rows are one thing wherever they are equal: an id or the user says so."""
    how, ids = definition.preparation.repetitions, definition.columns.id
    if how == "auto" and ids:
        return frame[ids].notna().all(axis="columns")
    return pd.Series(data=how == "drop", index=frame.index)


def newest_rows(rows: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Return the newest ``[split] newest_rows``, by date or else by their order."""
    number = definition.split.newest_rows
    if not 0 < number < len(rows):
        return rows
    if DATE not in rows:
        return rows.iloc[-number:]
    return rows[rows[DATE].rank(method="first") > len(rows) - number]
