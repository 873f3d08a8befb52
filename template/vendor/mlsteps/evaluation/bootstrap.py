"""Metrics with intervals, by the bootstrap (Efron and Tibshirani, 1993)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..problem.metric import Metric, Metrics, Parts, evaluate_metrics, evaluate_parts, metric_parts

LEVEL = 0.95  # of the interval
MOST_RESAMPLES, LEAST_RESAMPLES = 1000, 200
ROW_BUDGET = 5_000_000  # rows drawn in all: large test sets need fewer resamples

Measured = dict[str, dict[str, float]]


def measure(
    target: pd.Series,
    predictions: pd.DataFrame,
    metrics: Metrics,
    seed: int,
    *,
    most: int = MOST_RESAMPLES,
    group: pd.Series | None = None,
) -> Measured:
    """Return every metric with its 95 % percentile interval."""
    parts = metric_parts(metrics, target, predictions)
    values = evaluate_parts(metrics, parts)
    draws = [
        evaluate_parts(metrics, _take(parts, rows))
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
    target: pd.Series,
    predictions: pd.DataFrame,
    rival_predictions: pd.DataFrame,
    seed: int,
    group: pd.Series | None = None,
) -> np.ndarray:
    """Return by how much a rival is better in each resample of the rows that defines both."""
    one = {"": metric}
    mine, theirs = (metric_parts(one, target, each) for each in (predictions, rival_predictions))
    gains = [
        metric.gain(
            evaluate_parts(one, _take(theirs, rows)).get("", np.nan),
            evaluate_parts(one, _take(mine, rows)).get("", np.nan),
        )
        for rows in resamples(len(target), seed, group=group)
    ]
    return np.array([gain for gain in gains if np.isfinite(gain)])


def evaluate_metric(metric: Metric, target: pd.Series, predictions: pd.DataFrame) -> float:
    """Return a metric; NaN where these rows do not define it."""
    return evaluate_metrics({"": metric}, target, predictions).get("", np.nan)


def _take(parts: dict[Any, Parts], rows: np.ndarray) -> dict[Any, Parts]:
    return {
        arrays: tuple(
            part[rows] if isinstance(part, np.ndarray) else part.iloc[rows] for part in each
        )
        for arrays, each in parts.items()
    }


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
