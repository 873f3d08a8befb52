"""What the evaluation of a regressor shows."""

import numpy as np
import pandas as pd

from ..modeling.predictor import Predictor
from ..plots import BLUE, GREY, ORANGE, new_figure
from ..problem.definition import Definition
from ..problem.regression import INTERVAL, arrays
from ..report import figure
from .supervised import (
    LOSS,
    checks,
    importance_score,
    measure_baselines,
    predict_test,
    tables,
)

__all__ = [
    "LOSS",
    "checks",
    "importance_score",
    "measure_baselines",
    "outcome",
    "plots",
    "predict_test",
    "tables",
]

MOST_POINTS = 1000  # drawn; more would be a blot


def outcome(
    target: pd.Series, predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> dict[str, object]:
    """Return key figures in words: the size of the errors and of the intervals."""
    true, predicted, low, high = arrays(target, predictions)
    return {
        "median absolute error": float(np.median(np.abs(true - predicted))),
        "mean error (predicted − true)": float(np.mean(predicted - true)),
        f"median width of the {INTERVAL:.0%} interval": float(np.median(high - low)),
    }


def plots(
    target: pd.Series, predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> list[str]:
    """Return the plots of the test set: predicted against true, residuals."""
    drawn = target.sample(min(len(target), MOST_POINTS), random_state=definition.search.seed).index
    true, predicted, low, high = arrays(target.loc[drawn], predictions.loc[drawn])
    return [
        _predicted_against_true(true, predicted, low, high),
        _residuals(true, predicted),
        _histogram(*arrays(target, predictions)[:2]),
    ]


def _predicted_against_true(
    true: np.ndarray, predicted: np.ndarray, low: np.ndarray, high: np.ndarray
) -> str:
    plot, axes = new_figure(grid="both")
    axes.vlines(true, low, high, color=BLUE, alpha=0.12, linewidth=1.2)
    axes.plot(true, predicted, "o", color=BLUE, alpha=0.6)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color=GREY, linestyle=":")
    axes.set(xlabel="true", ylabel="predicted")
    return figure(plot, f"Each with its {INTERVAL:.0%} interval.", "Predicted against true")


def _residuals(true: np.ndarray, predicted: np.ndarray) -> str:
    plot, axes = new_figure(grid="both")
    axes.plot(predicted, true - predicted, "o", color=ORANGE, alpha=0.6)
    axes.axhline(0, color=GREY, linestyle=":")
    axes.set(xlabel="predicted", ylabel="true − predicted")
    return figure(plot, "A pattern here is something that the model has missed.", "Residuals")


def _histogram(true: np.ndarray, predicted: np.ndarray) -> str:
    plot, axes = new_figure()
    axes.hist(true - predicted, bins=40, color=BLUE)
    axes.axvline(0, color=GREY, linestyle=":")
    axes.set(xlabel="true − predicted", ylabel="rows")
    return figure(plot, "Rows by the size of their error.", "Errors")
