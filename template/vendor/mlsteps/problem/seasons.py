"""Which seasons series have: tested against noise that has a memory, beside a trend."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import f

LEVEL = 1e-4  # of the test, below which a season is there: of few cycles the test is too eager
MOST_WAVES, MOST_LAGS = 6, 12
MOST_SERIES, MOST_PERIODS = 50, 20_000  # that are tested: the first series, the newest periods


def try_seasons(history: pd.DataFrame, possible: list[float]) -> pd.DataFrame:
    """Return a row for each possible season: by how much it is seen, and the p-value of the test.

    An F test for each series: whether its waves explain more than a trend, the other seasons and
    the memory of the noise do, in values or, where seasons grow with the level, in logs. That of
    all series is twice their median, which holds whatever their dependence is (Rüger, 1978).

    Parameters
    ----------
    history : DataFrame of float, (periods, series)
    possible : list of float
        Periods in each season, the shortest first; with two of them in the history.
    """
    least = 2 * max(possible, default=np.inf)
    series = [history[name].dropna().to_numpy() for name in history.columns]
    tested = [
        _test_both(values[-MOST_PERIODS:], possible)
        for values in [values for values in series if len(values) > least][:MOST_SERIES]
    ]
    if not tested:
        return pd.DataFrame(columns=["season", "explains", "p-value"])
    shares, p_values = np.median(np.array(tested), axis=0)
    return pd.DataFrame(
        {"season": possible, "explains": shares, "p-value": np.minimum(2 * p_values, 1)}
    )


def list_seasons(seasons: list[float]) -> str:
    """Return the periods of seasons in words."""
    return " and ".join(f"{season:.6g}" for season in seasons) or "none"


def waves(
    periods: np.ndarray, seasons: Sequence[float], most: int = MOST_WAVES
) -> list[np.ndarray]:
    """Return the sines and cosines of each season, (periods, waves): its own, not of shorter ones.

    They are what repeats with a season of any length, also one that is no whole number.
    """
    found = []
    for place, season in enumerate(seasons):
        own = np.ceil(season / seasons[place - 1]) - 1 if place else season // 2
        turns = 2 * np.pi * np.outer(periods, np.arange(1, 1 + min(most, own))) / season
        found.append(np.hstack([np.sin(turns), np.cos(turns)]))
    return found


def _test_both(values: np.ndarray, possible: list[float]) -> np.ndarray:
    """Return what `_test` does of values or of logs: the smaller p-value, times their number."""
    tests = [np.array(_test(values, possible))]
    tests += [np.array(_test(np.log(values), possible))] if values.min() > 0 else []
    best = np.argmin([test[1] for test in tests], axis=0)
    shares, p_values = (np.choose(best, [test[row] for test in tests]) for row in (0, 1))
    return np.array([shares, p_values * len(tests)])


def _test(values: np.ndarray, possible: list[float]) -> tuple[list[float], list[float]]:
    """Return which share of the error of one series each season explains, and its p-value."""
    time = np.arange(len(values))
    values = (values - values.mean()) / (np.ptp(values) or 1.0)
    plain = np.column_stack([np.ones(len(values)), time / len(values)])
    cycles = len(values) // max(possible)  # waves of few cycles would pass for noise as well
    parts = [plain, *waves(time, possible, int(np.clip(cycles, 1, MOST_WAVES)))]
    left = _residuals(parts, values)[1]
    most = min(MOST_LAGS, min(possible) // 2)  # more would take a season that changes for noise
    lags = int(np.clip(len(values) // 10, 1, most))
    past = np.column_stack([left[lags - k : -k] for k in range(1, lags + 1)])
    memory = np.linalg.lstsq(past, left[lags:], rcond=None)[0]

    def whiten(series: np.ndarray) -> np.ndarray:
        return series[lags:] - sum(m * series[lags - k : -k] for k, m in enumerate(memory, 1))

    target, parts = whiten(values), [whiten(part) for part in parts]
    error, _, rank = _residuals(parts, target)
    free, shares, p_values = len(target) - rank - lags, [], []
    for place in range(1, len(parts)):
        more, _, fewer = _residuals([*parts[:place], *parts[place + 1 :]], target)
        seen = rank > fewer and free > 0 and more > 1e-20 * float(target @ target)
        shares.append(1 - error / more if seen else 0.0)
        ratio = (more - error) / max(rank - fewer, 1) / max(error / max(free, 1), 1e-300)
        p_values.append(float(f.sf(ratio, rank - fewer, free)) if seen else 1.0)
    return shares, p_values


def _residuals(parts: list[np.ndarray], target: np.ndarray) -> tuple[float, np.ndarray, int]:
    """Return what a regression leaves, the sum of its squares before, and its rank."""
    inputs = np.hstack(parts)
    coefficients, _, rank, _ = np.linalg.lstsq(inputs, target, rcond=None)
    left = target - inputs @ coefficients
    return float(left @ left), left, int(rank)
