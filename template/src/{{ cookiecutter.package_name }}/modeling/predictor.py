"""The one predictor: the command line, the service and a notebook load a model with it."""

from pathlib import Path

import pandas as pd
from mlsteps import open_project
from mlsteps.modeling import Predictor, champion_folder, load_predictor

from ..preparation.features import add_features
from . import TRUSTED


def adjust(predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions by the rules of your business: the same in test, file and service.

    Rules come after the model. The search compares candidates without them, and calibration,
    threshold and intervals are fitted without them, by [evaluation] in project.toml.

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


def load_model(folder: Path) -> Predictor:
    """Return the model of a version, from its folder in models/."""
    return load_predictor(folder, add_features, adjust, TRUSTED)


def load_champion() -> Predictor:
    """Return the model that serves, of the project in this folder or above: for a notebook."""
    return load_model(champion_folder(open_project().models))
