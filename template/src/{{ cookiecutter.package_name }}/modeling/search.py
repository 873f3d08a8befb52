"""Compare the candidates, and settings of each, by cross-validation within a time budget."""

import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..errors import UserError
from ..preparation.encoder import build_encoder
from ..preparation.schema import Schema
from ..preparation.split import Folds
from ..problem import METRICS, arrays
from ..problem.definition import Definition
from . import CANDIDATES, answer, plain_decision

PROBE_ROWS = 20_000  # with more rows, the time of a fit is first told from a tenth of them
FEW_ROWS = 10_000
OUT_OF_TIME = "the time budget ended first"


@dataclass
class Trial:
    """One candidate with one choice of settings, judged on every fold.

    Attributes
    ----------
    scores, fit_seconds
        One number for each fold.
    answers
        Out-of-fold answers, with the index of the training rows; kept for the best trial only.
    """

    candidate: str
    settings: dict[str, Any]
    scores: list[float] = field(default_factory=list)
    fit_seconds: list[float] = field(default_factory=list)
    answers: pd.DataFrame | None = None

    @property
    def mean(self) -> float:
        """The mean of the metric over the folds."""
        return float(np.mean(self.scores))

    @property
    def std(self) -> float:
        """The standard deviation of the metric over the folds."""
        return float(np.std(self.scores))


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    leaderboard
        The best trial of each candidate, the best candidate first.
    left_out
        Why a candidate was not judged, or not with all of its settings.
    answers
        Out-of-fold answers of the best trial, with the index of the training rows.
    """

    leaderboard: list[Trial]
    left_out: dict[str, str]
    answers: pd.DataFrame


def search(
    train: pd.DataFrame, schema: Schema, folds: Folds, definition: Definition
) -> SearchResult:
    """Judge every candidate with its default settings, then with others, while there is time.

    All candidates get their first turn before any gets its second. No trial is started that is
    not expected to end within the budget, and one that outlasts it does not count.

    Raises
    ------
    UserError
        If a candidate is unknown or fails, or none could be judged in time.
    """
    deadline = time.monotonic() + definition.search.budget_seconds
    metric = METRICS[definition.problem.metric]
    names, left_out = _choose_candidates(definition, len(train))
    trials: list[Trial] = []
    seconds: dict[str, float] = {}  # what one fit of a candidate took
    plan = list(_plan(names, definition))
    with tqdm(total=len(plan), desc="search", unit="trial", disable=None, leave=False) as bar:
        for name, settings in plan:
            bar.set_postfix_str(name)
            if name not in seconds:
                seconds[name] = _probe(name, train, schema, definition, deadline)
            trial = None
            if time.monotonic() + seconds[name] * len(folds) < deadline:
                with few_threads(len(train)):
                    trial = _judge(
                        Trial(name, settings), train, schema, folds, definition, deadline
                    )
            bar.update()
            if trial is None:
                left_out[name] = OUT_OF_TIME
                continue
            seconds[name] = max(trial.fit_seconds)
            best = not trials or all(metric.gain(trial.mean, t.mean) > 0 for t in trials)
            for loser in trials if best else [trial]:
                loser.answers = None
            trials.append(trial)
    if not trials:
        raise UserError(
            f"[search] budget_seconds = {definition.search.budget_seconds:g} ended before one "
            f"candidate was judged on {len(train):,} rows; raise it, or name a faster candidate."
        )
    trials.sort(key=lambda t: t.mean, reverse=metric.higher_is_better)
    first = {trial.candidate: trial for trial in reversed(trials)}
    for name in left_out.keys() & first.keys():
        left_out[name] = "judged, but the time budget ended before all of its settings were"
    leaderboard = [t for t in trials if first[t.candidate] is t]
    return SearchResult(leaderboard, left_out, trials[0].answers)


def build_pipeline(
    name: str, settings: dict[str, Any], schema: Schema, definition: Definition
) -> Pipeline:
    """Return the unfitted pipeline of a candidate: the encoder, then the estimator."""
    seed = definition.search.seed
    estimator = clone(CANDIDATES[name].estimator).set_params(**settings)
    seeded = {key: seed for key in estimator.get_params() if key.endswith("random_state")}
    estimator.set_params(**seeded)
    encoder = build_encoder(schema.features, definition.preparation, seed)
    return Pipeline([("encoder", encoder), ("estimator", estimator)])


def features_and_target(rows: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.Series]:
    """Part prepared rows into what the model sees and what it has to predict."""
    return rows[[column.name for column in schema.features]], rows[schema.target]


def fit(pipeline: Pipeline, rows: pd.DataFrame, schema: Schema) -> None:
    """Fit a pipeline to prepared rows."""
    features, target = features_and_target(rows, schema)
    with warnings.catch_warnings(), few_threads(len(rows)):
        # A search tries settings that do not converge; their scores tell.
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(features, target.to_numpy())


def few_threads(rows: int) -> AbstractContextManager[object]:
    """Keep numeric libraries from starting threads where they cost more than they save."""
    return threadpool_limits(1 if rows < FEW_ROWS else None)


def _choose_candidates(definition: Definition, rows: int) -> tuple[list[str], dict[str, str]]:
    names, left_out = [], {}
    for name in definition.models.candidates:
        if name not in CANDIDATES:
            raise UserError(
                f'[models] candidates has "{name}"; known candidates: {", ".join(CANDIDATES)}.'
            )
        limit = CANDIDATES[name].most_rows
        if limit and rows > limit:
            left_out[name] = f"{rows:,} training rows are more than its limit of {limit:,}"
        else:
            names.append(name)
    return names, left_out


def _plan(names: list[str], definition: Definition) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each candidate with its defaults, then round by round with other settings."""
    yield from ((name, {}) for name in names)
    rounds = {name: _settings(CANDIDATES[name].space, definition) for name in names}
    for k in range(max(map(len, rounds.values()), default=0)):
        yield from ((name, rounds[name][k]) for name in names if k < len(rounds[name]))


def _settings(space: dict[str, list[Any]], definition: Definition) -> list[dict[str, Any]]:
    method, seed = definition.search.method, definition.search.seed
    if method == "none" or not space:
        return []
    grid = ParameterGrid(space)
    if method == "grid":
        return list(grid)
    number = min(definition.search.iterations, len(grid))
    return list(ParameterSampler(space, number, random_state=seed))


def _probe(
    name: str, train: pd.DataFrame, schema: Schema, definition: Definition, deadline: float
) -> float:
    """Return about how many seconds a fit will take; 0 where it is quick to find out."""
    if len(train) <= PROBE_ROWS or time.monotonic() > deadline:
        return 0.0
    few = train.sample(len(train) // 10, random_state=definition.search.seed)
    started = time.monotonic()
    fit(build_pipeline(name, {}, schema, definition), few, schema)
    return 10 * (time.monotonic() - started)


def _judge(
    trial: Trial,
    train: pd.DataFrame,
    schema: Schema,
    folds: Folds,
    definition: Definition,
    deadline: float,
) -> Trial | None:
    """Fit and score on every fold; None when time runs out before the last one."""
    metric = METRICS[definition.problem.metric]
    decision = plain_decision(train[schema.target], definition)
    answers = []
    for fold, (inside, outside) in enumerate(folds):
        if fold and time.monotonic() > deadline:
            return None
        pipeline = build_pipeline(trial.candidate, trial.settings, schema, definition)
        started = time.monotonic()
        try:
            fit(pipeline, train.iloc[inside], schema)
        except (ValueError, TypeError) as error:
            raise UserError(
                f'Candidate "{trial.candidate}" cannot be fitted with {trial.settings}: {error}'
            ) from error
        trial.fit_seconds.append(time.monotonic() - started)
        features, target = features_and_target(train.iloc[outside], schema)
        answers.append(answer(pipeline, features, decision))
        trial.scores.append(metric.function(*arrays(target, answers[-1])))
    trial.answers = pd.concat(answers)
    return trial
