"""Metrics with intervals, by the bootstrap (Efron and Tibshirani, 1993)."""

import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from ..problem import METRICS, arrays
from ..problem.metric import Metric

LEVEL = 0.95  # of the interval
MOST_RESAMPLES, LEAST_RESAMPLES = 1000, 200
ROW_BUDGET = 5_000_000  # rows drawn in all: large test sets need fewer resamples

Measured = dict[str, dict[str, float]]


def measure(
    target: pd.Series,
    answers: pd.DataFrame,
    seed: int,
    *,
    names: list[str] | None = None,
    most: int = MOST_RESAMPLES,
    group: pd.Series | None = None,
) -> Measured:
    """Return every metric with its 95 % percentile interval.

    Parameters
    ----------
    target : Series of (n,)
        True values.
    answers : DataFrame of n rows
        What the predictor answered.
    names
        Keys of `METRICS`; all if not given.
    most
        How many resamples are drawn at most.
    group : Series of (n,), optional
        Rows of one group are drawn together, because they are alike.

    Returns
    -------
    dict
        For each metric ``value``, ``low`` and ``high``. A metric that these rows do not define (a
        class is absent, say) is left out.
    """
    chosen = {name: METRICS[name] for name in names or METRICS}
    parts = arrays(target, answers)
    values = evaluate_metrics(chosen, parts)
    draws = [
        evaluate_metrics(chosen, tuple(part[rows] for part in parts))
        for rows in resamples(len(target), seed, most, group)
    ]
    tail = 100 * (1 - LEVEL) / 2
    measured = {}
    for name, value in values.items():
        drawn = [draw[name] for draw in draws if name in draw]
        if drawn:
            low, high = np.percentile(drawn, [tail, 100 - tail])
            measured[name] = {"value": value, "low": float(low), "high": float(high)}
    return measured


def measure_gains(
    metric: Metric,
    parts: tuple[np.ndarray, ...],
    rival_parts: tuple[np.ndarray, ...],
    seed: int,
    group: pd.Series | None = None,
) -> np.ndarray:
    """Return by how much a rival is better in each resample of the rows that defines both.

    Parameters
    ----------
    parts, rival_parts
        What `arrays` gives for the answers of each to the same rows.
    group : Series of (n,), optional
        Rows of one group are drawn together, because they are alike.
    """
    gains = [
        metric.gain(
            evaluate_metric(metric, tuple(part[rows] for part in rival_parts)),
            evaluate_metric(metric, tuple(part[rows] for part in parts)),
        )
        for rows in resamples(len(parts[0]), seed, group=group)
    ]
    return np.array([gain for gain in gains if np.isfinite(gain)])


def evaluate_metric(metric: Metric, parts: tuple[np.ndarray, ...]) -> float:
    """Return a metric; NaN where these rows do not define it."""
    return evaluate_metrics({"": metric}, parts).get("", np.nan)


def evaluate_metrics(
    chosen: Mapping[str, Metric], parts: tuple[np.ndarray, ...]
) -> dict[str, float]:
    """Return the metrics that are defined for these rows."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what is undefined is left out below
        values = {name: metric.function(*parts) for name, metric in chosen.items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def resamples(
    rows: int, seed: int, most: int = MOST_RESAMPLES, group: pd.Series | None = None
) -> Iterator[np.ndarray]:
    """Yield positions of rows drawn with replacement, whole groups where `group` is given."""
    generator = np.random.default_rng(seed)
    number = int(np.clip(ROW_BUDGET // rows, LEAST_RESAMPLES, most))
    if group is None:
        for _ in range(number):
            yield generator.integers(rows, size=rows)
        return
    members = list(group.reset_index(drop=True).groupby(group.to_numpy()).indices.values())
    for _ in range(number):
        drawn = generator.integers(len(members), size=len(members))
        yield np.concatenate([members[k] for k in drawn])
