"""Expectations on the data beyond project.toml: checked as collected, before `clean`."""

import pandas as pd
from mlsteps import UserError


def check_rows(rows: pd.DataFrame) -> None:
    """Check the rows as collected; with ``[split] all_rows``, part by part.

    Raises
    ------
    UserError
        If they are not met; the message is shown without a traceback.
    """
    if rows.empty:
        raise UserError("The data has no rows; look at [data] in project.toml.")
