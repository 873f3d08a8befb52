"""Rules of your own on predictions: after the model, and the same in test, file and service.

Calibration, threshold and intervals come from training, by [evaluation] in project.toml.
"""

import pandas as pd


def adjust(predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions by the rules of your business.

    Parameters
    ----------
    predictions : DataFrame of n rows
        ``prediction`` and the other columns that `predict` writes.
    rows : DataFrame of n rows
        The features that they were made from: what `add_features` returns.

    Examples
    --------
    Nobody under 18 gets a loan, whatever the model says::

        minor = rows["age"] < 18
        return predictions.assign(prediction=predictions["prediction"].mask(minor, "bad"))
    """
    return predictions
