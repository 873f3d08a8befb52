"""What a metric is, and which there are."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError
from ..variants import of_type

Parts = tuple[Any, ...]  # what a metric's function is given, each with one entry for a row
HIGHER, LOWER = True, False  # which values of a metric are better


@dataclass(frozen=True)
class Metric:
    """One way to measure how good predictions are.

    Attributes
    ----------
    function
        Takes the true values (Series of n) and the predictions (DataFrame of n rows, with the
        columns that `predict` writes) and returns one number. It is called with subsets of the
        rows too, so that the number gets an interval.
    higher_is_better
        Whether a larger value is a better one.
    title
        The name that the report prints.
    selects
        Whether it may stand as ``metric`` in project.toml: only what can be computed in
        cross-validation, before intervals exist.
    arrays
        Makes the arguments of `function` from true values and predictions, once for all subsets.

    Examples
    --------
    >>> import pandas as pd
    >>> def hits(target, predictions):
    ...     return float((predictions["prediction"] == target).mean())
    >>> metric = Metric(hits, higher_is_better=True, title="Hits")
    >>> metric(pd.Series(["a", "b"]), pd.DataFrame({"prediction": ["a", "a"]}))
    0.5
    """

    function: Callable[..., float]
    higher_is_better: bool
    title: str
    selects: bool = True
    arrays: Callable[[pd.Series, pd.DataFrame], Parts] | None = None

    def __call__(self, target: pd.Series, predictions: pd.DataFrame) -> float:
        """Return the value for true values, Series of (n,), and their predictions."""
        return self.function(*self.parts(target, predictions))

    def parts(self, target: pd.Series, predictions: pd.DataFrame) -> Parts:
        """Return the arguments of `function`."""
        return self.arrays(target, predictions) if self.arrays else (target, predictions)

    def gain(self, value: float, other: float) -> float:
        """Return by how much `value` is better than `other`; negative when it is worse."""
        return value - other if self.higher_is_better else other - value


Metrics = Mapping[str, Metric]


def all_metrics(problem_type: str, own: Metrics) -> dict[str, Metric]:
    """Return the standard metrics of a type of problem, and those of the project.

    Parameters
    ----------
    problem_type : str
        ``[problem] type`` of project.toml.
    own : mapping of str to Metric
        The metrics of the project; one with the name of a standard metric replaces it.

    Returns
    -------
    dict of str to Metric

    Examples
    --------
    >>> list(all_metrics("regression", {}))
    ['rmse', 'mae', 'r2', 'mape', 'pinball', 'coverage']
    """
    return {**of_type("problem", problem_type).METRICS, **own}


def select_metric(name: str, metrics: Metrics) -> Metric:
    """Return the metric that ``[problem] metric`` names.

    Parameters
    ----------
    name : str
        As it stands in project.toml.
    metrics : mapping of str to Metric
        What `all_metrics` returns.

    Raises
    ------
    UserError
        If there is none of this name that may select; the message names those that may.

    Examples
    --------
    >>> select_metric("mae", all_metrics("regression", {})).title
    'MAE'
    """
    allowed = [key for key, metric in metrics.items() if metric.selects]
    if name not in allowed:
        raise UserError(
            f'project.toml: [problem] metric is "{name}"; allowed: {", ".join(allowed)}.'
        )
    return metrics[name]


def metric_table(arrays: Callable[..., Parts], *rows: tuple[Any, ...]) -> dict[str, Metric]:
    """Return metrics from rows of name, function, `HIGHER` or `LOWER`, title, and `selects`."""
    return {
        name: Metric(function, higher_is_better=higher, title=title, selects=all(s), arrays=arrays)
        for name, function, higher, title, *s in rows
    }


def evaluate_metrics(
    metrics: Metrics, target: pd.Series, predictions: pd.DataFrame
) -> dict[str, float]:
    """Return the metrics that are defined for these rows, by name."""
    return evaluate_parts(metrics, metric_parts(metrics, target, predictions))


def metric_parts(
    metrics: Metrics, target: pd.Series, predictions: pd.DataFrame
) -> dict[Any, Parts]:
    """Return the arguments of the metrics' functions; those made the same way are made once."""
    makers = {metric.arrays: metric for metric in metrics.values()}
    return {arrays: metric.parts(target, predictions) for arrays, metric in makers.items()}


def evaluate_parts(metrics: Metrics, parts: Mapping[Any, Parts]) -> dict[str, float]:
    """Return the metrics that are defined for the arguments that `metric_parts` made."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what is undefined is left out below
        values = {name: float(m.function(*parts[m.arrays])) for name, m in metrics.items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


# How alike models of different rows predict: measured by the search, one model cannot tell.
STABILITY = Metric(lambda: np.nan, higher_is_better=True, title="Stability", arrays=lambda *_: ())

# The bootstrap calls metrics thousands of times. scikit-learn's take a millisecond each, mostly to
# check their input, so all are written in numpy, and tests compare them with scikit-learn's.


def roc_area(hits: np.ndarray, scores: np.ndarray) -> float:
    """Return the chance that a hit has a higher score than a miss (Mann and Whitney, 1947)."""
    high, low = np.sort(scores[hits]), np.sort(scores[~hits])
    below, upto = (np.searchsorted(low, high, side) for side in ("left", "right"))
    return float(np.mean(below + upto) / 2 / len(low))  # an equal score counts half


def average_precision(hits: np.ndarray, scores: np.ndarray) -> float:
    """Return the precision at each distinct score, weighted by the recall that it adds."""
    order = np.argsort(-scores)
    last = np.append(np.diff(scores[order]) != 0, True)  # of the rows with the same score
    found = np.cumsum(hits[order])[last]
    precision = found / (np.flatnonzero(last) + 1)
    return float(np.sum(np.diff(found, prepend=0) * precision) / hits.sum())


def rmse(true: np.ndarray, predicted: np.ndarray, *_: np.ndarray) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((true - predicted) ** 2)))


def mae(true: np.ndarray, predicted: np.ndarray, *_: np.ndarray) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(true - predicted)))


def mape(true: np.ndarray, predicted: np.ndarray, *_: np.ndarray) -> float:
    """Return the mean absolute error as a share of the true value, where that is not 0."""
    some = true != 0
    shares = np.abs((true[some] - predicted[some]) / true[some])
    return float(np.mean(shares)) if some.any() else np.nan


def coverage(
    true: np.ndarray, predicted: np.ndarray, low: np.ndarray, high: np.ndarray, *_: np.ndarray
) -> float:
    """Return the share of true values inside of their interval, NaN where there is none."""
    known = ~np.isnan(low)
    inside = (low <= true) & (true <= high)
    return float(np.mean(inside[known])) if known.any() else np.nan
