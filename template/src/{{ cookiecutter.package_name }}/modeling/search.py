"""Compare the candidates, and settings of each, by cross-validation within a time budget."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid, ParameterSampler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..errors import UserError
from ..preparation.schema import Schema
from ..preparation.split import Folds
from ..problem import METRICS
from ..problem.definition import Definition
from ..problem.metric import Metric
from . import CANDIDATES, always_tried, answer, judge, plain_decision
from .candidate import Candidate
from .encoded import Encoded, EncodedFold, encode_training
from .trial import Fitted, OutOfTimeError, Trial

PROBE_ROWS = 20_000  # with more rows, the time of a fit is first told from a tenth of them
FEW_ROWS = 10_000
OUT_OF_TIME = "the time budget ended first"


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    leaderboard
        The best trial of each candidate, the best candidate first.
    left_out
        Why a candidate was not judged, or not with all of its settings.
    trials
        All that were judged, the best first.
    answers
        Out-of-fold answers of the best trial, with the index of the training rows.
    """

    leaderboard: list[Trial]
    trials: list[Trial]
    left_out: dict[str, str]
    answers: pd.DataFrame


def search(
    train: pd.DataFrame, schema: Schema, folds: Folds, definition: Definition
) -> SearchResult:
    """Judge every candidate with its default settings, then with others, while there is time.

    All candidates get their first turn before any gets its second. No trial is started that is
    not expected to end within the budget, and one that outlasts it does not count. One that fails,
    because it needs more rows say, is left out.

    Raises
    ------
    UserError
        If a candidate is unknown, or none could be judged.
    """
    deadline = time.monotonic() + definition.search.budget_seconds
    metric = METRICS[definition.problem.metric]
    names, left_out = _choose_candidates(definition, len(train))
    trials: list[Trial] = []
    seconds: dict[str, float] = {}  # what one fit of a candidate took
    plan = list(_plan(names, definition))

    # Where rows are few each fold is encoded once; where they are many it would fill the memory.
    @lru_cache(len(folds) if len(train) <= FEW_ROWS else 0)
    def encoded(k: int) -> EncodedFold:
        return EncodedFold(train, *folds[k], schema, definition)

    with tqdm(total=len(plan), desc="search", unit="trial", disable=None, leave=False) as bar:
        for name, settings in plan:
            bar.set_postfix_str(name)
            trial, why = None, OUT_OF_TIME
            try:
                if name not in seconds:
                    seconds[name] = _probe(name, train, schema, definition, deadline)
                if time.monotonic() + seconds[name] * len(folds) < deadline:
                    new = Trial(name, settings)
                    trial = _judge(new, encoded, len(folds), definition, deadline)
            except (ValueError, TypeError) as error:  # what an estimator says of data or settings
                why = f"it fails with {settings or 'its defaults'} ({_first_line(error)})"
            bar.update()
            if trial is None:
                left_out[name] = why
                continue
            seconds[name] = max(trial.fit_seconds)
            best = all(_rank(trial, metric) > _rank(t, metric) for t in trials)
            for loser in trials if best else [trial]:
                loser.answers = None
            trials.append(trial)
    if not trials:
        raise _nothing_judged(len(train), left_out, definition)
    trials.sort(key=lambda trial: _rank(trial, metric), reverse=True)
    first = {trial.candidate: trial for trial in reversed(trials)}
    for name in left_out.keys() & first.keys():
        left_out[name] = f"judged, but not with all of its settings: {left_out[name]}"
    leaderboard = [t for t in trials if first[t.candidate] is t]
    return SearchResult(leaderboard, trials, left_out, trials[0].answers)


def build_estimator(name: str, settings: dict[str, Any], definition: Definition) -> BaseEstimator:
    """Return the unfitted estimator of a candidate."""
    estimator = clone(CANDIDATES[name].estimator).set_params(**settings)
    seeds = [key for key in estimator.get_params() if key.endswith("random_state")]
    return estimator.set_params(**dict.fromkeys(seeds, definition.search.seed))


def fit(estimator: BaseEstimator, encoded: Encoded) -> float:
    """Fit an estimator; return the seconds that it took, those of the encoder included."""
    started = time.monotonic()
    with warnings.catch_warnings():
        # A search tries settings that do not converge; their scores tell.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(encoded.numbers, encoded.target)
    return encoded.seconds + time.monotonic() - started


def few_threads(rows: int) -> AbstractContextManager[object]:
    """Keep numeric libraries from starting threads where they cost more than they save."""
    return threadpool_limits(1 if rows < FEW_ROWS else None)


def _rank(trial: Trial, metric: Metric) -> tuple[bool, float]:
    """Return what is higher for a better trial."""
    return trial.sound, trial.mean if metric.higher_is_better else -trial.mean


def _nothing_judged(rows: int, left_out: dict[str, str], definition: Definition) -> UserError:
    reasons = "; ".join(f"{name}, {why}" for name, why in left_out.items())
    return UserError(
        f"No candidate could be judged on {rows:,} training rows: {reasons}. Raise "
        f"[search] budget_seconds = {definition.search.budget_seconds:g}, add rows, or name "
        "others in [models] candidates."
    )


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
    rounds = {name: _rounds(CANDIDATES[name], definition) for name in names}
    for k in range(max(map(len, rounds.values()), default=0)):
        yield from ((name, rounds[name][k]) for name in names if k < len(rounds[name]))


def _rounds(candidate: Candidate, definition: Definition) -> list[dict[str, Any]]:
    always = list(ParameterGrid(always_tried(candidate, definition)))
    others = [{}, *_settings(candidate.space, definition)]
    return [first | other for other in others for first in always]


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
    return 10 * fit(build_estimator(name, {}, definition), encode_training(few, schema, definition))


def _judge(
    trial: Trial,
    encoded: Callable[[int], EncodedFold],
    folds: int,
    definition: Definition,
    deadline: float,
) -> Trial | None:
    """Fit and judge on every fold; None when time runs out before the last one."""

    def fitted() -> Iterator[Fitted]:
        for k in range(folds):
            if k and time.monotonic() > deadline:
                raise OutOfTimeError
            fold = encoded(k)
            estimator = build_estimator(trial.candidate, trial.settings, definition)
            trial.fit_seconds.append(fit(estimator, fold.inside))
            yield estimator, fold

    def answer_plainly(
        estimator: BaseEstimator, numbers: pd.DataFrame, target: pd.Series
    ) -> pd.DataFrame:
        return answer(estimator, numbers, plain_decision(target, definition))

    try:
        judge(trial, fitted(), answer_plainly, definition)
    except OutOfTimeError:
        return None
    return trial


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
