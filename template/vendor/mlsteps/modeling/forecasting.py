"""The candidates for forecasting, and how wide their intervals are."""

from typing import Any

import numpy as np
import pandas as pd

from ..problem.definition import Definition

LEAST_ERRORS = 40  # a 90 % interval needs some dozens of errors to have a tail of a few


def learn_intervals(predictions: pd.DataFrame, definition: Definition) -> dict[str, Any]:
    """Learn the intervals from the errors of the backtest.

    Conformal prediction by step: each step ahead has the quantiles of its own errors, of all series
    and origins, in units of the usual change of their series; where they are few, those of the
    steps nearest to it as well. An interval never narrows further ahead.

    Parameters
    ----------
    answers : DataFrame
        ``true``, ``prediction``, ``unit``, ``step`` and ``origin`` of the best trial.

    Returns
    -------
    dict
        ``low`` and ``high``: for each step, what to add to a prediction in units; and ``covered``,
        the share of true values inside, each origin judged by the intervals of the others.
    """
    limits = _limits(predictions, definition)
    inside = []
    for origin in predictions["origin"].unique():
        mine = predictions["origin"] == origin
        if not mine.all():
            answered = cover(predictions[mine], _limits(predictions[~mine], definition))
            inside.append(answered["true"].between(answered["low"], answered["high"]))
    covered = float(pd.concat(inside).mean()) if inside else None
    return {**limits, "covered": covered}


def cover(predictions: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Return answers with ``low`` and ``high``, by their ``prediction``, ``unit`` and ``step``."""
    places = predictions["step"].to_numpy() - 1
    ends = {
        name: predictions["prediction"] + predictions["unit"] * np.array(decision[name])[places]
        for name in ("low", "high")
    }
    return predictions.assign(**ends)


def _limits(predictions: pd.DataFrame, definition: Definition) -> dict[str, list[float]]:
    errors = ((predictions["true"] - predictions["prediction"]) / predictions["unit"]).to_numpy()
    steps = predictions["step"].to_numpy()
    level = 1 - (1 - definition.evaluation.interval) / 2
    low, high = [], []
    for step in range(1, definition.problem.horizon + 1):
        distance = np.abs(steps - step)
        enough = np.sort(distance)[min(LEAST_ERRORS, len(distance)) - 1]
        near = errors[distance <= enough]
        low.append(-_upper_quantile(-near, level))
        high.append(_upper_quantile(near, level))
    return {
        "low": np.minimum.accumulate(low).tolist(),
        "high": np.maximum.accumulate(high).tolist(),
    }


def _upper_quantile(errors: np.ndarray, level: float) -> float:
    """Return the conformal quantile: one rank higher than usual, for the value that is to come."""
    rank = int(np.ceil((len(errors) + 1) * level)) - 1
    return float(np.sort(errors)[min(rank, len(errors) - 1)])
