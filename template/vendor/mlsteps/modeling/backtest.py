"""Backtests: forecasts from origins in the past, of which what came is known (Tashman, 2000)."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from tqdm import tqdm

from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..problem.metric import Metric
from ..problem.definition import Definition
from ..problem.series import SERIES, least_periods
from .candidate import Candidate, Candidates
from .compare import SearchResult, build_estimator, compare
from .forecasters import SeasonalNaive
from .forecasters.each import CORES, MANY
from .forecasters.naive import usual_change
from .trial import OutOfTimeError, Trial

PROBED = 20  # series from which the time of a fit is told, where they are many


def backtest(
    panel: Panel, schema: Schema, candidates: Candidates, metric: Metric, definition: Definition
) -> SearchResult:
    """Judge every candidate from every origin, see `compare`.

    Parameters
    ----------
    panel
        The history without the test, its gaps unfilled.

    Raises
    ------
    UserError
        If a candidate is unknown, or none could be judged.
    """
    season, horizon = schema.decision["season"], definition.problem.horizon
    origins = choose_origins(panel.periods, season, definition)
    gaps, least = schema.decision["gaps"], least_periods(season)
    heads = [panel.head(origin, gaps, least) for origin in origins]

    def score(predictions: pd.DataFrame) -> float:
        return metric(predictions["true"], predictions)

    naive = SeasonalNaive(season)
    rival = [score(forecast_origin(naive, panel, head, season, horizon)) for head in heads]

    def score_trial(trial: Trial, deadline: float) -> None:
        def build() -> BaseEstimator:
            return build_forecaster(
                candidates[trial.candidate], trial.settings, schema, definition
            )

        _check_time(build, heads[-1], len(heads), deadline)
        predictions, forecaster = [], None
        for head in tqdm(heads, desc=trial.candidate, unit="origin", disable=None, leave=False):
            if time.monotonic() > deadline:
                raise OutOfTimeError
            # A wrong form of one series weighs little among many, and is found in most of the time.
            known: Any = forecaster if len(head.names) >= MANY else None
            started = time.monotonic()
            forecaster = build().fit(head, like=known)
            trial.fit_seconds.append(time.monotonic() - started)
            predictions.append(forecast_origin(forecaster, panel, head, season, horizon))
            trial.scores.append(score(predictions[-1]))
        trial.predictions = pd.concat(predictions, ignore_index=True)
        trial.measured["seasonal naive"] = {"value": float(np.mean(rival))}

    return compare(score_trial, panel.periods, candidates, metric, definition)


def choose_origins(periods: int, season: int, definition: Definition) -> list[int]:
    """Return after how many periods the forecasts of a backtest begin, the earliest first.

    The last one leaves a whole horizon. Neighbours are a horizon apart or, where the history is
    short, as far as it allows. The first has, if it can be had, a horizon of history beyond what a
    forecast needs at least.
    """
    horizon, folds = definition.problem.horizon, definition.search.folds
    last = periods - horizon
    least = least_periods(season)
    first = min(last, max(least, min(least + horizon, last - folds + 1)))
    stride = min(horizon, (last - first) // (folds - 1))
    number = folds if stride else 1
    return [last - stride * k for k in range(number)][::-1]


def build_forecaster(
    candidate: Candidate, settings: dict[str, Any], schema: Schema, definition: Definition
) -> BaseEstimator:
    """Return the unfitted forecaster of a candidate, told of the calendar of the series."""
    forecaster = build_estimator(candidate, settings, definition)
    told = {key: schema.decision[key] for key in ("season", "horizon", "frequency")}
    taken = forecaster.get_params(deep=False)
    return forecaster.set_params(**{key: told[key] for key in told if key in taken})


def forecast_origin(
    forecaster: Any, panel: Panel, head: Panel, season: int, horizon: int
) -> pd.DataFrame:
    """Forecast from the end of `head`, and hold it against what came.

    Returns
    -------
    DataFrame
        For each series and step of which the truth is known: `SERIES`, ``origin`` (the ordinal of
        the first period ahead), ``step``, ``true``, ``prediction`` and ``unit``, the usual change
        of the series before the origin.
    """
    horizon = min(horizon, panel.periods - head.periods)
    forecast = forecaster.forecast(head, horizon)
    rows = pd.Index(panel.names).get_indexer(head.names)
    truth = panel.history[rows, head.periods : head.periods + horizon]
    unit = usual_change(head.history, season)
    predictions = pd.DataFrame(
        {
            SERIES: np.repeat(head.names, horizon),
            "origin": head.end,
            "step": np.tile(np.arange(1, horizon + 1), len(head.names)),
            "true": truth.ravel(),
            "prediction": forecast.ravel(),
            "unit": np.repeat(unit, horizon),
        }
    )
    return predictions[predictions["true"].notna()]


def _check_time(
    build: Callable[[], BaseEstimator], head: Panel, folds: int, deadline: float
) -> None:
    """Raise `OutOfTimeError` if a trial is not expected to end before the deadline."""
    if len(head.names) <= MANY:
        return
    few = head.rows(np.arange(PROBED))
    started = time.monotonic()
    build().fit(few)
    seconds = (time.monotonic() - started) * len(head.names) / PROBED / CORES
    if time.monotonic() + folds * seconds > deadline:
        raise OutOfTimeError
