"""Compare candidates, and settings of each, within a time budget."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import ParameterGrid, ParameterSampler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..errors import UserError
from ..problem.definition import Definition
from ..problem.metric import Metric
from .candidate import Candidate, Candidates
from .trial import OutOfTimeError, Trial

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
    predictions: pd.DataFrame


def compare(
    score_trial: Callable[[Trial, float], None],
    rows: int,
    candidates: Candidates,
    metric: Metric,
    definition: Definition,
) -> SearchResult:
    """Judge every candidate with its default settings, then with others, while there is time.

    All candidates get their first turn before any gets its second. One that fails, because it needs
    more rows say, is left out.

    Parameters
    ----------
    judge
        Gives a trial its scores and answers; raises `OutOfTimeError` if it would not end before the
        time that it is given, on the clock of `time.monotonic`.
    rows
        How many there are to learn from.
    candidates
        Those that [models] candidates can name.
    metric
        What ranks them.

    Raises
    ------
    UserError
        If a candidate is unknown, or none could be judged.
    """
    deadline = time.monotonic() + definition.search.budget_seconds
    names, left_out = _choose_candidates(candidates, definition, rows)
    trials: list[Trial] = []
    plan = list(_plan(names, candidates, definition))
    with tqdm(total=len(plan), desc="search", unit="trial", disable=None, leave=False) as bar:
        for name, settings in plan:
            bar.set_postfix_str(name)
            trial = Trial(name, settings)
            try:
                score_trial(trial, deadline)
            except OutOfTimeError:
                left_out[name] = OUT_OF_TIME
            except (ValueError, TypeError) as error:  # what an estimator says of data or settings
                why = f"it fails with {settings or 'its defaults'} ({_first_line(error)})"
                left_out[name] = why
            else:
                best = all(_rank(trial, metric) > _rank(t, metric) for t in trials)
                for loser in trials if best else [trial]:
                    loser.predictions = None
                trials.append(trial)
            bar.update()
    if not trials:
        reasons = "; ".join(f"{name}, {why}" for name, why in left_out.items())
        raise UserError(
            f"No candidate could be judged on {rows:,} training rows: {reasons}. Raise "
            f"[search] budget_seconds = {definition.search.budget_seconds:g}, add rows, or name "
            "others in [models] candidates."
        )
    trials.sort(key=lambda trial: _rank(trial, metric), reverse=True)
    first = {trial.candidate: trial for trial in reversed(trials)}
    for name in left_out.keys() & first.keys():
        left_out[name] = f"judged, but not with all of its settings: {left_out[name]}"
    leaderboard = [t for t in trials if first[t.candidate] is t]
    return SearchResult(leaderboard, trials, left_out, trials[0].predictions)


def build_estimator(
    candidate: Candidate, settings: dict[str, Any], definition: Definition
) -> BaseEstimator:
    """Return the unfitted estimator of a candidate."""
    estimator = clone(candidate.estimator).set_params(**settings)
    seeds = [key for key in estimator.get_params() if key.endswith("random_state")]
    return estimator.set_params(**dict.fromkeys(seeds, definition.search.seed))


def few_threads(rows: int) -> AbstractContextManager[object]:
    """Keep numeric libraries from starting threads where they cost more than they save."""
    return threadpool_limits(1 if rows < FEW_ROWS else None)


def _rank(trial: Trial, metric: Metric) -> tuple[bool, float]:
    """Return what is higher for a better trial."""
    return trial.eligible, trial.mean if metric.higher_is_better else -trial.mean


def _choose_candidates(
    candidates: Candidates, definition: Definition, rows: int
) -> tuple[list[str], dict[str, str]]:
    names, left_out = [], {}
    for name in definition.models.candidates:
        if name not in candidates:
            raise UserError(
                f'[models] candidates has "{name}"; known candidates: {", ".join(candidates)}.'
            )
        limit = candidates[name].most_rows
        if limit and rows > limit:
            left_out[name] = f"{rows:,} training rows are more than its limit of {limit:,}"
        else:
            names.append(name)
    return names, left_out


def _plan(
    names: list[str], candidates: Candidates, definition: Definition
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each candidate with its defaults, then round by round with other settings."""
    rounds = {name: _rounds(candidates[name], definition) for name in names}
    for k in range(max(map(len, rounds.values()), default=0)):
        yield from ((name, rounds[name][k]) for name in names if k < len(rounds[name]))


def _rounds(candidate: Candidate, definition: Definition) -> list[dict[str, Any]]:
    takes = candidate.estimator.get_params(deep=False)
    given = definition.problem.always_tried().items()
    always = list(ParameterGrid({k: v for k, v in given if takes.get(k) is not None}))
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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
