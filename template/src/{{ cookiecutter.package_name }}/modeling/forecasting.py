"""The candidates for forecasting, and how wide their intervals are."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..problem.definition import Definition
from .candidate import Candidate
from .forecasters import Arima, Exponential, Lags, Theta

__all__ = ["CANDIDATES", "cover", "learn_intervals"]

LEAST_ERRORS = 40  # a 90 % interval needs some dozens of errors to have a tail of a few

# Edit freely: a line more is a candidate more, once [models] candidates names it. One of your own
# needs `fit(panel, like=None)` and `forecast(panel, horizon)`, see forecasters/.
CANDIDATES = {
    # initial="estimated" is better for some series, and takes ten times as long.
    "ets": Candidate(Exponential()),
    "arima": Candidate(Arima(), {"exact": [True]}),
    "theta": Candidate(Theta()),
    "ridge": Candidate(
        Lags(make_pipeline(StandardScaler(), Ridge(alpha=10))),
        {"regressor__ridge__alpha": [0.1, 1.0, 100.0]},
    ),
    "boosting": Candidate(
        Lags(HistGradientBoostingRegressor(early_stopping=False), each_step=False),
        {
            "regressor__learning_rate": [0.03, 0.1],
            "regressor__max_leaf_nodes": [7, 15, 31],
            "regressor__l2_regularization": [0.0, 10.0],
        },
    ),
}


def learn_intervals(answers: pd.DataFrame, definition: Definition) -> dict[str, Any]:
    """Learn the intervals from the errors of the backtest.

    Conformal prediction by step: each step ahead has the quantiles of its own errors in units of the
    usual change of their series, of all series and origins; where they are few, those of the steps
    nearest to it as well. An interval never narrows further ahead.

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
    limits = _limits(answers, definition)
    inside = []
    for origin in answers["origin"].unique():
        mine = answers["origin"] == origin
        if not mine.all():
            answered = cover(answers[mine], _limits(answers[~mine], definition))
            inside.append(answered["true"].between(answered["low"], answered["high"]))
    covered = float(pd.concat(inside).mean()) if inside else None
    return {**limits, "covered": covered}


def cover(answers: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Return answers with ``low`` and ``high``, by their ``prediction``, ``unit`` and ``step``."""
    places = answers["step"].to_numpy() - 1
    ends = {
        name: answers["prediction"] + answers["unit"] * np.array(decision[name])[places]
        for name in ("low", "high")
    }
    return answers.assign(**ends)


def _limits(answers: pd.DataFrame, definition: Definition) -> dict[str, list[float]]:
    errors = ((answers["true"] - answers["prediction"]) / answers["unit"]).to_numpy()
    steps = answers["step"].to_numpy()
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
