"""Learn from series: a backtest of every candidate, then the best is fitted to the history.

A backtest forecasts from origins in the past, of which it is known what followed (Tashman, 2000).
"""

import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, t
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..errors import UserError
from ..files import read_frame
from ..preparation.panel import Panel
from ..preparation.schema import KEY, Schema, read_schema
from ..preparation.series import calendar_of, panel_of
from ..preparation.split import CutFolds, Fold
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics
from ..problem.project import Project
from ..problem.series import PERIOD, SERIES, least_periods
from .forecast_choice import choose, say_choice, with_ensemble
from .forecast_model import ForecastModel, add_intervals, add_true, forecast_ahead, roll_on
from .forecasters.local import LocalForecaster, fit_again
from .forecasters.mean import Mean
from .forecasters.naive import baselines
from .parallel import MANY_CALLS, few_threads, in_parallel, on_workers, stopwatch
from .schedule import OutOfTimeError
from .search import (
    REFERENCE_ROWS,
    Candidates,
    FittedModel,
    SearchResult,
    Trial,
    build_estimator,
    caught_warnings,
    plan_trials,
    search_candidates,
)

LEAST_ERRORS = 40  # a 90 % interval needs some dozens of errors to have a tail of a few


def fit_best(
    project: Project, candidates: Candidates, metrics: Metrics, cut_folds: CutFolds
) -> FittedModel:
    """Backtest on the history before the test, and fit the best candidate.

    It is fitted twice: to the training rows, to forecast the test, and then to the whole history,
    which is the model. The test settles nothing: the choice was made before. Its errors count to
    the intervals of the model, not to those that are tested.
    """
    definition = project.definition
    schema = read_schema(project.prepared / "schema.json")
    train = read_frame(project.prepared / "train.parquet")
    whole = pd.concat([train, read_frame(project.prepared / "test.parquet")])
    panel, history = panel_of(train, schema), panel_of(whole, schema)
    season = {"season": schema.decision["season"]}
    known = {"problem": definition.problem.model_copy(update=season)}
    folds = list(cut_folds(train, definition.model_copy(update=known)))
    started = time.monotonic()
    with few_threads(len(train)):
        metric = metrics[definition.problem.metric]
        result = backtest(panel, train, folds, schema, candidates, metric, definition)
        search_seconds = time.monotonic() - started
        schema.decision |= learn_intervals(result.predictions, definition)
        chosen = (result.leaderboard[0], candidates, schema, definition)
        tested, final = build_forecaster(*chosen), build_forecaster(*chosen)
        forecasts = roll_on(tested, history, panel.periods, schema, fit=True)
        forecasts = add_intervals(forecasts, schema.decision)
        errors = pd.concat([result.predictions, add_true(forecasts, history)])
        schema.decision |= _limits(errors, definition)
        seconds = stopwatch()
        with caught_warnings() as warned:
            whole_head = history.head(history.periods, schema.decision["gaps"])
            fit_again(final, whole_head, tested)
        fit_seconds = seconds()
    said = say_choice(result, baselines(schema.decision["season"]))
    features = whole[[column.name for column in schema.features]]
    return FittedModel(
        result,
        ForecastModel(final, history),
        schema,
        whole[KEY].to_numpy("uint64"),
        features.tail(REFERENCE_ROWS),
        search_seconds,
        fit_seconds,
        warned,
        scored_by="the backtest",
        chosen_by=definition.problem.metric,
        choice={"said": said} if said else {},
        test_forecasts=forecasts,
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
    """Score every candidate from every origin, see `search_candidates` and `choose`."""
    season, horizon = schema.decision["season"], definition.problem.horizon
    rivals = baselines(season)
    origins = [_origin(panel, train, *fold, schema) for fold in folds]

    def forecast(forecaster: Any, head: Panel, after: Panel) -> tuple[pd.DataFrame, float]:
        ahead = min(horizon, panel.periods - head.periods)
        forecasts = add_true(forecast_ahead(forecaster, head, season, ahead), after)
        return forecasts, metric(forecasts["true"], forecasts)

    known = {n: [forecast(rival, *origin) for origin in origins] for n, rival in rivals.items()}
    plain = {name: [score for _, score in found] for name, found in known.items()}
    sizes = [len(forecasts) for forecasts, _ in known["drift"]]

    def score_trial(trial: Trial, _: int, deadline: float) -> None:
        parts, previous = [], None
        for head, after in tqdm(origins, trial.candidate, unit="origin", disable=None, leave=False):
            if time.monotonic() > deadline:
                raise OutOfTimeError
            seconds = stopwatch()
            forecaster = build_forecaster(trial, candidates, schema, definition)
            previous = fit_again(forecaster, head, previous)
            trial.fit_seconds.append(seconds())
            forecasts, score = forecast(forecaster, head, after)
            parts.append(forecasts)
            trial.scores.append(score)
        trial.predictions = pd.concat(parts, ignore_index=True)
        trial.measured["seasonal naive"] = {"value": float(np.mean(plain["seasonal_naive"]))}

    def local(_: int, trial: Trial, *__: Any) -> bool:
        return isinstance(candidates[trial.candidate].estimator, LocalForecaster)

    # Of many series, local forecasters share the fits out themselves.
    run = partial(on_workers, here=local) if len(panel.names) >= MANY_CALLS else in_parallel
    plan = plan_trials(candidates, definition, panel.periods)
    with threadpool_limits(1, user_api="blas"):  # so that sums are those of a worker
        result = search_candidates(score_trial, plan, panel.periods, metric, definition, run=run)
    return choose(with_ensemble(result, rivals, sizes, metric, definition), plain, metric)


def build_forecaster(
    trial: Trial, candidates: Candidates, schema: Schema, definition: Definition
) -> Any:
    """Return the unfitted forecaster of a trial, with what it takes of the calendar."""
    if trial.members:
        parts = [build_forecaster(part, candidates, schema, definition) for part in trial.members]
        return Mean(parts)
    forecaster = build_estimator(candidates[trial.candidate], trial.settings, definition)
    names = {"season", "seasons", "horizon", "frequency"} & forecaster.get_params(deep=False).keys()
    return forecaster.set_params(**{name: schema.decision[name] for name in names})


def learn_intervals(forecasts: pd.DataFrame, definition: Definition) -> dict[str, Any]:
    """Learn the intervals from the errors of the backtest.

    Conformal prediction by step: each step ahead has the quantiles of its own errors, of all series
    and origins, scaled by the usual change of their series; where they are few, those of the steps
    nearest to it as well. An interval never narrows further ahead. The errors of one series from
    one origin go together, so the fewer such paths there are, the wider it is: by as much as a
    prediction interval of Student's t is wider than one of the normal distribution.
    """
    inside = []
    for _, here in forecasts.groupby("origin"):
        others = forecasts.drop(here.index)
        if len(others):
            found = add_intervals(here, _limits(others, definition))
            inside.append(found["true"].between(found["low"], found["high"]))
    covered = float(pd.concat(inside).mean()) if inside else None
    return {**_limits(forecasts, definition), "covered": covered}


def _limits(forecasts: pd.DataFrame, definition: Definition) -> dict[str, list[float]]:
    """Return the conformal quantiles of scaled errors: one rank beyond those of the sample."""
    errors = ((forecasts["true"] - forecasts["prediction"]) / forecasts["scale"]).to_numpy()
    steps = forecasts["step"].to_numpy()
    level = 1 - (1 - definition.evaluation.interval) / 2
    paths = forecasts.groupby([SERIES, "origin"]).ngroups
    wider = t.ppf(level, max(paths - 1, 1)) / norm.ppf(level) * np.sqrt(1 + 1 / paths)
    low, high = [], []
    for step in range(1, definition.problem.horizon + 1):
        distance = np.abs(steps - step)
        enough = np.sort(distance)[min(LEAST_ERRORS, len(distance)) - 1]
        near = np.sort(errors[distance <= enough])
        rank = min(int(np.ceil((len(near) + 1) * level)), len(near))
        low.append(near[-rank])
        high.append(near[rank - 1])
    return {
        "low": (wider * np.minimum.accumulate(low)).tolist(),
        "high": (wider * np.maximum.accumulate(high)).tolist(),
    }


def _origin(
    panel: Panel, train: pd.DataFrame, fit: np.ndarray, score: np.ndarray, schema: Schema
) -> tuple[Panel, Panel]:
    """Return a fold as what is known at its origin, without gaps, and what is to be forecast."""
    least = least_periods(schema.decision["season"])
    origin = int(train[PERIOD].iloc[score].min())
    before, after = np.full((2, *panel.history.shape), np.nan)
    for part, rows in ((before, train.iloc[fit]), (after, train.iloc[score])):
        places = panel.at(rows[SERIES], rows[PERIOD])
        part[places] = panel.history[places]
    known = replace(panel, history=before)
    head = known.head(origin - panel.start, schema.decision["gaps"], least)
    if not head.names:
        raise UserError(
            "cut_folds in preparation/split.py has a fold that begins with "
            f"{calendar_of(schema).texts([origin])[0]}, before which no series has the {least} "
            "periods that a forecast needs; let it begin later."
        )
    return head, replace(panel, history=after)
