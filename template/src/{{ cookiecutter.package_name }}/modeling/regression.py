"""The candidates for predicting a quantity, and how wide their intervals are."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Lasso, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from ..problem import arrays
from ..problem.definition import Definition
from ..problem.regression import INTERVAL
from .candidate import Candidate
from .supervised import ESTIMATORS, JUDGED_BY, judge, measurable, remember

__all__ = [
    "CANDIDATES",
    "ESTIMATORS",
    "JUDGED_BY",
    "answer",
    "judge",
    "learn_decision",
    "measurable",
    "plain_decision",
    "remember",
]

MOST_BINS = 5
BIN_ROWS = 100  # a 90 % interval needs some dozens of rows to have a tail of a few


def _scaled(estimator: BaseEstimator) -> TransformedTargetRegressor:
    """Fit `estimator` to the target scaled to mean 0 and deviation 1, as it expects."""
    return TransformedTargetRegressor(estimator, transformer=StandardScaler())


# Edit freely: a line more is a candidate more, once [models] candidates names it.
CANDIDATES = {
    "ridge": Candidate(
        Ridge(),
        {"alpha": [0.1, 1.0, 10.0, 100.0]},
    ),
    "lasso": Candidate(
        _scaled(Lasso(alpha=0.001)),
        {"regressor__alpha": [0.0001, 0.001, 0.01, 0.1]},
    ),
    "tree": Candidate(
        DecisionTreeRegressor(min_samples_leaf=10),
        {"max_depth": [3, 5, 8, None], "min_samples_leaf": [5, 10, 20, 50]},
        labels="codes",
    ),
    "forest": Candidate(
        # Bounded trees bound the file and the memory, however many rows there are.
        RandomForestRegressor(max_leaf_nodes=2000, max_features=0.5, n_jobs=-1),
        {"max_features": ["sqrt", 0.3, 0.6], "min_samples_leaf": [1, 2, 5, 10]},
        labels="codes",
    ),
    "boosting": Candidate(
        # Early stopping holds back a tenth of the rows, and copies them all to do so.
        HistGradientBoostingRegressor(learning_rate=0.1, max_iter=100, early_stopping=False),
        {
            "learning_rate": [0.03, 0.1, 0.2],
            "max_leaf_nodes": [7, 15, 31],
            "l2_regularization": [0.0, 1.0, 10.0],
        },
        labels="codes",
    ),
    "svm": Candidate(
        _scaled(SVR()),
        {"regressor__C": [0.1, 1.0, 10.0], "regressor__gamma": ["scale", 0.01, 0.1]},
        most_rows=20_000,
    ),
    "knn": Candidate(
        KNeighborsRegressor(n_neighbors=10),
        {"n_neighbors": [5, 10, 20, 40], "weights": ["uniform", "distance"]},
        most_rows=50_000,
    ),
    "mlp": Candidate(
        _scaled(MLPRegressor(hidden_layer_sizes=(64,), early_stopping=True, max_iter=200)),
        {
            "regressor__hidden_layer_sizes": [(32,), (64,), (64, 32)],
            "regressor__alpha": [1e-4, 1e-2, 1.0],
        },
        most_rows=200_000,
    ),
}


def plain_decision(target: pd.Series, definition: Definition) -> dict[str, Any]:
    """Return the decision before anything is learnt: no interval."""
    return {}


def learn_decision(
    target: pd.Series, answers: pd.DataFrame, definition: Definition
) -> dict[str, Any]:
    """Learn the intervals from out-of-fold errors.

    Mondrian conformal prediction (Vovk, Gammerman and Shafer, 2005): predictions are put in bins
    by their size, and each bin has the quantiles of its own errors, so that intervals may be
    wider where predictions are larger.

    Parameters
    ----------
    target : Series of (n,)
        True values.
    answers : DataFrame of n rows
        What `answer` gave for these rows, by models not fitted on them.

    Returns
    -------
    dict
        ``edges`` between the bins (one fewer than bins), and for each bin what to add to a
        prediction to get ``low`` and ``high``.
    """
    true, predicted, *_ = arrays(target, answers)
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


def answer(
    estimator: BaseEstimator, numbers: np.ndarray, decision: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Answer each row with a number and, once it is learnt, its interval.

    Returns
    -------
    dict
        Columns with one value for a row: ``prediction``, ``low`` and ``high``.
    """
    predicted = np.asarray(estimator.predict(numbers), dtype=float)
    answers = {"prediction": predicted}
    if decision:
        place = np.searchsorted(decision["edges"], predicted, side="right")
        answers["low"] = predicted + np.array(decision["low"])[place]
        answers["high"] = predicted + np.array(decision["high"])[place]
    return answers


def _upper_quantile(errors: np.ndarray, level: float) -> float:
    """Return the conformal quantile: one rank higher than usual, for the row that is to come."""
    rank = int(np.ceil((len(errors) + 1) * level)) - 1
    return float(np.sort(errors)[min(rank, len(errors) - 1)])
