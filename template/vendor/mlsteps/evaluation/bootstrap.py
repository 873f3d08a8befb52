"""Metrics with intervals, by the bootstrap (Efron and Tibshirani, 1993)."""

import warnings
from collections.abc import Callable, Iterator
from itertools import chain, islice
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from ..modeling.parallel import ALL_CORES, FEW_ROWS, in_threads
from ..problem.metric import Metric, Metrics, Parts, evaluate_parts, metric_parts

LEVEL = 0.95  # of the interval
MOST_RESAMPLES, LEAST_RESAMPLES = 1000, 200
ROW_BUDGET = 5_000_000  # rows drawn in all: large test sets need fewer resamples
TASK_ROWS = 100_000  # drawn for one task of a thread

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
    """Return every metric that is defined with its 95 % percentile interval."""
    parts = metric_parts(metrics, target, predictions)
    values = evaluate_parts(metrics, parts)

    def draw(rows: np.ndarray) -> dict[str, float]:
        return evaluate_parts(metrics, _take(parts, rows))

    draws = _each(draw, len(target), resamples(len(target), seed, most, group))
    measured = {}
    for name, value in values.items():
        drawn = [draw[name] for draw in draws if name in draw]
        if drawn:
            low, high = interval(drawn)
            measured[name] = {"value": value, "low": low, "high": high}
    return measured


def compare_pairs(
    metric: Metric,
    target: pd.Series,
    predictions: pd.DataFrame,
    rival_predictions: pd.DataFrame,
    seed: int,
    group: pd.Series | None = None,
) -> tuple[float, float, np.ndarray]:
    """Return the metric of both predictions of the same rows, and the gains of the rival.

    There is a gain for each resample of the rows that defines the metric of both.
    """
    one = {"": metric}
    both = [metric_parts(one, target, each) for each in (predictions, rival_predictions)]
    value, rival_value = (evaluate_parts(one, parts).get("", np.nan) for parts in both)

    def gain(rows: np.ndarray) -> float:
        mine, theirs = (evaluate_parts(one, _take(p, rows)).get("", np.nan) for p in both)
        return metric.gain(theirs, mine)

    gains = _each(gain, len(target), resamples(len(target), seed, group=group))
    return value, rival_value, np.array([gain for gain in gains if np.isfinite(gain)])


def interval(draws: list[float] | np.ndarray) -> tuple[float, float]:
    """Return the ends of the 95 % percentile interval."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def resamples(
    rows: int, seed: int, most: int = MOST_RESAMPLES, group: pd.Series | None = None
) -> Iterator[np.ndarray]:
    """Yield positions of rows drawn with replacement, whole groups where `group` is given."""
    generator = np.random.default_rng(seed)
    codes = np.arange(rows) if group is None else pd.factorize(group, sort=True)[0]
    order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes)
    ends = np.cumsum(sizes)
    for _ in range(int(np.clip(ROW_BUDGET // rows, LEAST_RESAMPLES, most))):
        drawn = generator.integers(len(sizes), size=len(sizes))
        many = sizes[drawn]
        # Each group's positions end where it does: count on to them.
        yield order[np.arange(many.sum()) + np.repeat(ends[drawn] - np.cumsum(many), many)]


def _each(
    function: Callable[[np.ndarray], Any], rows: int, drawn: Iterator[np.ndarray]
) -> list[Any]:
    """Return what `function` gives for each resample of so many rows; threads take those of many.

    They are here also where there is a cluster: its workers would have to be sent the predictions.
    """
    numbered = enumerate(drawn)
    tasks = iter(lambda: list(islice(numbered, max(1, TASK_ROWS // rows))), [])

    def work(task: list[tuple[int, np.ndarray]]) -> list[tuple[int, Any]]:
        return [(number, function(positions)) for number, positions in task]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads share what they set: all have this
        jobs = 1 if rows < FEW_ROWS else ALL_CORES
        done = chain.from_iterable(in_threads(work, ((task,) for task in tasks), jobs))
        return [found for _, found in sorted(done, key=itemgetter(0))]


def _take(parts: dict[Any, Parts], rows: np.ndarray) -> dict[Any, Parts]:
    return {
        arrays: tuple(
            part[rows] if isinstance(part, np.ndarray) else part.iloc[rows] for part in each
        )
        for arrays, each in parts.items()
    }
