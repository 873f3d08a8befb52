"""Learn from series: a backtest of every candidate, then the best is fitted to the history.

A backtest forecasts from origins in the past, of which it is known what followed (Tashman, 2000).
"""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from tqdm import tqdm

from ..errors import UserError
from ..files import read_frame
from ..preparation.panel import Panel
from ..preparation.schema import KEY, Schema, read_schema
from ..preparation.series import panel_of
from ..preparation.split import CutFolds, Fold
from ..problem.calendar import Calendar
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics
from ..problem.project import Project
from ..problem.series import PERIOD, SERIES, least_periods
from .forecast_model import ForecastModel, add_intervals, add_true, forecast_ahead
from .forecasters import SeasonalNaive
from .forecasters.local import CORES, MANY_SERIES, LocalForecaster
from .search import (
    Candidate,
    Candidates,
    FittedModel,
    OutOfTimeError,
    SearchResult,
    Trial,
    build_estimator,
    few_threads,
    search_candidates,
)

REFERENCE_ROWS = 5000  # what drift is measured against; more would not change the outcome of a test
PROBED_SERIES = 20  # of many, to estimate how long a fit takes
LEAST_ERRORS = 40  # a 90 % interval needs some dozens of errors to have a tail of a few


def fit_best(
    project: Project, candidates: Candidates, metrics: Metrics, cut_folds: CutFolds
) -> FittedModel:
    """Backtest on the history before the test, and fit the best candidate.

    It is fitted twice: to the training rows, to forecast the test, and then to the whole history,
    which is the model. The test settles nothing: the choice was made before.
    """
    definition = project.definition
    metric = metrics[definition.problem.metric]
    schema = read_schema(project.prepared / "schema.json")
    train = read_frame(project.prepared / "train.parquet")
    whole = pd.concat([train, read_frame(project.prepared / "test.parquet")])
    panel, history = panel_of(train, schema), panel_of(whole, schema)
    season, horizon = schema.decision["season"], definition.problem.horizon
    known = definition.problem.model_copy(update={"season": season})
    folds = list(cut_folds(train, definition.model_copy(update={"problem": known})))
    started = time.monotonic()
    with few_threads(len(train)):
        result = backtest(panel, train, folds, schema, candidates, metric, definition)
        search_seconds = time.monotonic() - started
        schema.decision |= learn_intervals(result.predictions, definition)
        best = result.leaderboard[0]
        chosen = (candidates[best.candidate], best.settings, schema, definition)
        heads = origins_of_test(history, panel.periods, schema)
        tested = build_forecaster(*chosen).fit(heads[0])
        forecasts = [
            forecast_ahead(tested, head, season, min(horizon, history.periods - head.periods))
            for head in heads
        ]
        started = time.monotonic()
        forecaster = build_forecaster(*chosen)
        forecaster.fit(history.head(history.periods, schema.decision["gaps"]))
        fit_seconds = time.monotonic() - started
    features = whole[[column.name for column in schema.features]]
    return FittedModel(
        result,
        ForecastModel(forecaster).set_history(history),
        schema,
        whole[KEY].to_numpy("uint64"),
        features.tail(REFERENCE_ROWS),
        search_seconds,
        fit_seconds,
        scored_by="the backtest",
        test_forecasts=pd.concat(forecasts, ignore_index=True),
    )


def backtest(
    panel: Panel,
    train: pd.DataFrame,
    folds: list[Fold],
    schema: Schema,
    candidates: Candidates,
    metric: Metric,
    definition: Definition,
) -> SearchResult:
    """Score every candidate from every origin, see `search_candidates`."""
    season, horizon = schema.decision["season"], definition.problem.horizon
    origins = [_origin(panel, train, *fold, schema) for fold in folds]

    def forecast(forecaster: Any, head: Panel, after: Panel) -> pd.DataFrame:
        ahead = min(horizon, panel.periods - head.periods)
        return add_true(forecast_ahead(forecaster, head, season, ahead), after)

    def score(forecasts: pd.DataFrame) -> float:
        return metric(forecasts["true"], forecasts)

    naive = SeasonalNaive(season)
    naive_score = float(np.mean([score(forecast(naive, *origin)) for origin in origins]))

    def score_trial(trial: Trial, deadline: float) -> None:
        unfitted = build_forecaster(candidates[trial.candidate], trial.settings, schema, definition)
        _check_time(unfitted, origins[-1][0], len(origins), deadline)
        forecasts, previous = [], None
        for head, after in tqdm(origins, trial.candidate, unit="origin", disable=None, leave=False):
            if time.monotonic() > deadline:
                raise OutOfTimeError
            started = time.monotonic()
            forecaster = build_forecaster(
                candidates[trial.candidate], trial.settings, schema, definition
            )
            if isinstance(previous, LocalForecaster) and len(head.names) >= MANY_SERIES:
                # The wrong form of one series weighs little among many, and takes long to choose.
                forecaster.fit(head, previous=previous)
            else:
                forecaster.fit(head)
            trial.fit_seconds.append(time.monotonic() - started)
            previous = forecaster
            forecasts.append(forecast(forecaster, head, after))
            trial.scores.append(score(forecasts[-1]))
        trial.predictions = pd.concat(forecasts, ignore_index=True)
        trial.measured["seasonal naive"] = {"value": naive_score}

    return search_candidates(score_trial, panel.periods, candidates, metric, definition)


def build_forecaster(
    candidate: Candidate, settings: dict[str, Any], schema: Schema, definition: Definition
) -> Any:
    """Return the unfitted forecaster of a candidate, with what it takes of the calendar."""
    forecaster = build_estimator(candidate, settings, definition)
    takes = forecaster.get_params(deep=False)
    names = [name for name in ("season", "horizon", "frequency") if name in takes]
    return forecaster.set_params(**{name: schema.decision[name] for name in names})


def origins_of_test(history: Panel, begin: int, schema: Schema) -> list[Panel]:
    """Return what is known at each origin of the test: a horizon apart, the first at its begin."""
    decision = schema.decision
    return [
        history.head(origin, decision["gaps"], least_periods(decision["season"]))
        for origin in range(begin, history.periods, decision["horizon"])
    ]


def learn_intervals(forecasts: pd.DataFrame, definition: Definition) -> dict[str, Any]:
    """Learn the intervals from the errors of the backtest.

    Conformal prediction by step: each step ahead has the quantiles of its own errors, of all series
    and origins, scaled by the usual change of their series; where they are few, those of the steps
    nearest to it as well. An interval never narrows further ahead.
    """
    limits = _limits(forecasts, definition)
    inside = []
    for origin in forecasts["origin"].unique():
        here = forecasts["origin"] == origin
        if not here.all():
            found = add_intervals(forecasts[here], _limits(forecasts[~here], definition))
            inside.append(found["true"].between(found["low"], found["high"]))
    return {**limits, "covered": float(pd.concat(inside).mean()) if inside else None}


def _limits(forecasts: pd.DataFrame, definition: Definition) -> dict[str, list[float]]:
    errors = ((forecasts["true"] - forecasts["prediction"]) / forecasts["scale"]).to_numpy()
    steps = forecasts["step"].to_numpy()
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


def _origin(
    panel: Panel, train: pd.DataFrame, fit: np.ndarray, score: np.ndarray, schema: Schema
) -> tuple[Panel, Panel]:
    """Return a fold as what is known at its origin, without gaps, and what is to be forecast."""
    decision = schema.decision
    origin, least = int(train[PERIOD].iloc[score].min()), least_periods(decision["season"])
    before, after = (_only(panel, train.iloc[rows]) for rows in (fit, score))
    head = before.head(origin - panel.start, decision["gaps"], least)
    if not head.names:
        (date,) = Calendar(decision["frequency"], decision["place"]).texts(np.array([origin]))
        raise UserError(
            f"cut_folds in preparation/split.py has a fold that begins with {date}, before which "
            f"no series has the {least} periods that a forecast needs; let it begin later."
        )
    return head, after


def _only(panel: Panel, rows: pd.DataFrame) -> Panel:
    """Return a panel whose history is that of some of its rows."""
    history = np.full_like(panel.history, np.nan)
    places = pd.Index(panel.names).get_indexer(rows[SERIES]), rows[PERIOD] - panel.start
    history[places] = panel.history[places]
    return replace(panel, history=history)


def _check_time(forecaster: BaseEstimator, head: Panel, folds: int, deadline: float) -> None:
    """Raise `OutOfTimeError` if a trial is not expected to end before the deadline."""
    if len(head.names) <= MANY_SERIES:
        return
    few = head.rows(np.arange(PROBED_SERIES))
    started = time.monotonic()
    forecaster.fit(few)
    seconds = (time.monotonic() - started) * len(head.names) / PROBED_SERIES / CORES
    if time.monotonic() + folds * seconds > deadline:
        raise OutOfTimeError
