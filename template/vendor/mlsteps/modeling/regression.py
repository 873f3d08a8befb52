"""How wide the intervals of a regressor are."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..problem.definition import Definition
from ..problem.regression import INTERVAL, arrays

MOST_BINS = 5
BIN_ROWS = 100  # a 90 % interval needs some dozens of rows to have a tail of a few


def default_decision(target: pd.Series, definition: Definition) -> dict[str, Any]:
    """Return the decision before training: no interval."""
    return {}


def learn_decision(
    target: pd.Series, predictions: pd.DataFrame, definition: Definition
) -> dict[str, Any]:
    """Learn the intervals from out-of-fold errors.

    Mondrian conformal prediction (Vovk, Gammerman and Shafer, 2005): predictions are put in bins
    by their size, and each bin has the quantiles of its own errors, so that intervals may be
    wider where predictions are larger.
    """
    true, predicted, *_ = arrays(target, predictions)
    bins = int(np.clip(len(true) // BIN_ROWS, 1, MOST_BINS))
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, predicted, side="right")
    errors = [(true - predicted)[place == k] for k in range(len(edges) + 1)]
    tail = (1 - INTERVAL) / 2
    return {
        "edges": edges.tolist(),
        "low": [-_upper_quantile(-e, 1 - tail) for e in errors],
        "high": [_upper_quantile(e, 1 - tail) for e in errors],
    }


def predict(
    estimator: BaseEstimator, numbers: np.ndarray, decision: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Predict a number for each row and, if the decision has intervals, its interval."""
    return decide(np.asarray(estimator.predict(numbers), dtype=float), decision)


def decide(predicted: np.ndarray, decision: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return numbers and, if the decision has intervals, the interval of each."""
    predictions = {"prediction": predicted}
    if decision:
        place = np.searchsorted(decision["edges"], predicted, side="right")
        predictions["low"] = predicted + np.array(decision["low"])[place]
        predictions["high"] = predicted + np.array(decision["high"])[place]
    return predictions


def as_numbers(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the true values and the predictions."""
    true, predicted, *_ = arrays(target, predictions)
    return true, predicted


def _upper_quantile(errors: np.ndarray, level: float) -> float:
    """Return the conformal quantile: one rank higher than usual, for the row that is to come."""
    rank = int(np.ceil((len(errors) + 1) * level)) - 1
    return float(np.sort(errors)[min(rank, len(errors) - 1)])
