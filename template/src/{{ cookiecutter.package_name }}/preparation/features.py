"""Features of your own: what you know and the data does not hold.

The same function runs in training, in batch scoring and in the service.
"""

import pandas as pd


def add_features(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the inputs with columns added; drop a column to keep it from the model.

    Each row must be computed from that row alone: whatever is computed from several rows (a mean, a
    scale) belongs in `encoder.py`, where it is fitted on training rows only.

    Parameters
    ----------
    rows : DataFrame
        The inputs: numbers are float64, dates are datetime64, all else is str; missing is missing.

    Examples
    --------
    With columns ``amount`` and ``price``, the body could be::

        return rows.assign(amount_of_price=rows["amount"] / rows["price"])
    """
    return rows
