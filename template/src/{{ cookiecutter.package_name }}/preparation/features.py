"""Features of your own.

This is the place for what you know and the data does not say: ratios, differences, flags.
The same function runs in training, in batch scoring and in the service.
"""

import pandas as pd


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with columns added; drop a column to keep it from the model.

    Each row must be computed from that row alone: whatever is learnt from several rows (a mean, a
    scale) belongs into the pipeline, where it is fitted on training rows only.

    Parameters
    ----------
    frame : DataFrame
        The inputs of the schema: numbers are float64, dates are datetime64, all else is str.

    Examples
    --------
    With columns ``amount`` and ``price``, the body could be::

        return frame.assign(amount_of_price=frame["amount"] / frame["price"])
    """
    return frame
