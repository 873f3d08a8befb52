"""What the data must keep to, beside what project.toml says of it."""

import pandas as pd
from mlsteps import UserError


def check_rows(rows: pd.DataFrame) -> None:
    """Check the rows as collected.

    Raises
    ------
    UserError
        If they cannot be what the project is about; its sentence is all that its user sees.
    """
    if rows.empty:
        raise UserError("The data has no rows; look at [data] in project.toml.")
