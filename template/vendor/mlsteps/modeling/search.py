"""Compare candidates, and settings of each, within a time budget."""

import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import ParameterGrid, ParameterSampler
from tqdm import tqdm

from ..errors import UserError, first_line, raised_by_project
from ..preparation.schema import Schema
from ..problem.columns import Column
from ..problem.definition import Definition
from ..problem.metric import Metric
from .parallel import in_parallel, workers
from .schedule import OUT_OF_TIME, OutOfTimeError, Schedule

MOST_SETTINGS = 500  # of a candidate, however much time there is
ENSEMBLE = "ensemble"  # in [models] candidates: the mean of the others
REFERENCE_ROWS = 5000  # what drift is measured against; more would not change a test's outcome
UNKNOWN = "no label tells which is better, and it is not the first of [models] candidates"
RANGE = [2.5, 97.5]  # percentiles, of what several models gave

BuildEncoder = Callable[[list[Column], Definition], ColumnTransformer]


@dataclass(frozen=True)
class Candidate:
    """An estimator that the search tries, and the settings that it tries it with.

    Parameters
    ----------
    estimator : BaseEstimator
        Any estimator of scikit-learn's interface. Its own settings are tried first. The search
        sets every ``random_state`` to [search] seed.
    space : dict of str to list, optional
        For each setting the values that a search may take, by the names of ``set_params``.
    encoder : function of list of Column and Definition, optional
        Returns the unfitted transformer from features to the numbers that the estimator is fitted
        to. Candidates with the same function share what it has encoded. Only a forecaster, which is
        given series, has none.
    most_rows : int, optional
        The largest number of training rows (of series: of periods) that it is tried with. If there
        are more, it is left out, and the report says so. Without it there is no limit.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> candidate = Candidate(Ridge(), {"alpha": [0.1, 1.0]}, most_rows=20_000)
    >>> candidate.space
    {'alpha': [0.1, 1.0]}
    """

    estimator: BaseEstimator
    space: dict[str, list[Any]] = field(default_factory=dict)
    encoder: BuildEncoder | None = None
    most_rows: int | None = None


Candidates = dict[str, Candidate]


@dataclass
class Trial:
    """A candidate with one choice of settings, and how it did on every fold.

    Attributes
    ----------
    candidate : str
        Its name in the table of candidates.
    settings : dict of str to object
        What was set; empty where the candidate's own settings were kept.
    scores, fit_seconds : list of float
        The metric and the time to fit, one number for each fold.
    measured : dict of str to dict
        What else is known of it, by name; each with ``value``, some with ``low`` and ``high``.
    eligible : bool
        Whether it may win over others that are.
    predictions : DataFrame or None
        Out-of-fold predictions, with the index of the training rows; kept for the best trial of
        each candidate only.
    evidence : dict of str to object
        What a choice needs beside the scores; of every trial.
    members : list of Trial
        Of an ensemble: whose predictions it is the mean of, with the weights in `settings`.

    Examples
    --------
    >>> trial = Trial("ridge", {"alpha": 1.0}, scores=[0.7, 0.9])
    >>> f"{trial.mean:.1f} ± {trial.std:.1f}"
    '0.8 ± 0.1'
    """

    candidate: str
    settings: dict[str, Any]
    scores: list[float] = field(default_factory=list)
    fit_seconds: list[float] = field(default_factory=list)
    measured: dict[str, dict[str, float]] = field(default_factory=dict)
    eligible: bool = True
    predictions: pd.DataFrame | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    members: list["Trial"] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean of the metric over the folds."""
        return float(np.mean(self.scores))

    @property
    def std(self) -> float:
        """The standard deviation of the metric over the folds."""
        return float(np.std(self.scores))

    def gather(self, parts: Sequence["Trial"]) -> "Trial":
        """Return this trial with what its parts gave, in their order."""
        for part in parts:
            self.scores += part.scores
            self.fit_seconds += part.fit_seconds
            self.measured |= part.measured
            self.evidence |= part.evidence
            self.eligible &= part.eligible
        self.predictions = pd.concat([part.predictions for part in parts])
        return self

    def measure(self, name: str, values: Sequence[float]) -> None:
        """Keep the mean of what several models gave, and the range of 95 % of them."""
        low, high = np.nanpercentile(values, RANGE)
        mean = float(np.nanmean(values))
        self.measured[name] = {"value": mean, "low": float(low), "high": float(high)}


Score = Callable[[Trial, int, float], None]  # of a trial, a part of it, and when to give up
Run = Callable[..., Generator[Any]]  # of a function and tasks for it, see `in_parallel`
# Trials with the turn of their candidate that each is, and why some candidates have none.
Plan = tuple[list[tuple[int, Trial]], dict[str, str]]


@dataclass(frozen=True)
class SearchResult:
    """All trials, the best first, who was left out why, and the seconds spent on each candidate."""

    trials: list[Trial]
    left_out: dict[str, str]
    seconds: dict[str, float]

    @property
    def leaderboard(self) -> list[Trial]:
        """The best trial of each candidate, the best first."""
        best: dict[str, Trial] = {}
        for trial in self.trials:
            best.setdefault(trial.candidate, trial)
        return list(best.values())

    @property
    def predictions(self) -> pd.DataFrame:
        """Out-of-fold predictions of the best trial, with the index of the training rows."""
        return self.trials[0].predictions


@dataclass(frozen=True)
class FittedModel:
    """A model that is ready to be stored, and what is known of it."""

    result: SearchResult
    pipeline: BaseEstimator
    schema: Schema  # with the decision that turns its numbers into predictions
    keys: np.ndarray  # (uint64) of the rows that it was fitted to
    reference: pd.DataFrame  # a sample of their features, which drift is measured against
    search_seconds: float
    fit_seconds: float
    warned: list[str]  # what libraries said in this fit
    scored_by: str  # in a word or two
    chosen_by: str  # the metric that candidates were compared by; "" where they could not be
    baselines: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the test needs
    choice: dict[str, Any] = field(default_factory=dict)  # what a choice by several signs rests on
    test_forecasts: pd.DataFrame | None = None  # of series, by a model fitted before the test
    all_rows: str = ""  # what the candidate is that learns from more than the sample


def search_candidates(
    score: Score,
    plan: Plan,
    rows: int,
    metric: Metric,
    definition: Definition,
    *,
    parts: int = 1,
    run: Run = in_parallel,
) -> SearchResult:
    """Score the trials of a plan while there is time, see `plan_trials`.

    `score` fills an empty trial with what one part of the work, a fold say, gives; it is told when
    to give up. `run` does the parts, beside each other say, as `in_parallel` does. All candidates
    get their first turn before any gets its second. One that takes more than its share of the time
    that is left waits until the others had theirs. No part is begun that would not end in time if
    it took as long as the candidate's last one. One that fails, because it needs more rows say, is
    left out; an error in the project's own code is raised.
    """
    turns, left_out = plan
    budget, race = definition.search.budget_seconds, definition.search.method == "budget"
    schedule = Schedule(turns, parts, time.monotonic() + budget, metric, left_out, race=race)
    scored: dict[int, Trial] = {}
    best: dict[str, int] = {}  # the number of each candidate's best trial
    with tqdm(total=len(turns), desc="search", unit="trial", disable=None, leave=False) as bar:
        for number, trial in _finished(schedule, score, run):
            bar.set_postfix_str(workers(), refresh=False)
            bar.update()
            scored[number] = trial
            rivals = {k: scored[k] for k in sorted({number, best.get(trial.candidate, number)})}
            winner = rank([*rivals.values()], metric)[0]
            for k, rival in rivals.items():
                if rival is winner:
                    best[trial.candidate] = k
                else:
                    rival.predictions = None
    named = [*definition.models.candidates, *left_out]  # some failed before those named earlier
    left_out = {name: left_out[name] for name in named if name in left_out}
    if not scored:
        reasons = "; ".join(f"{name}, {why}" for name, why in left_out.items())
        raise UserError(
            f"No candidate could be scored on {rows:,} training rows: {reasons}. Raise [search] "
            f"budget_seconds = {budget:.15g}, add rows, or name others in [models] candidates."
        )
    for name in left_out.keys() & best.keys():
        left_out[name] = f"scored, but not with all of its settings: {left_out[name]}"
    trials = rank([scored[number] for number in sorted(scored)], metric)
    return SearchResult(trials, left_out, dict(schedule.seconds))


def rank(trials: list[Trial], metric: Metric) -> list[Trial]:
    """Return trials by what they reach, the best first; of equal ones the earlier."""
    return sorted(trials, key=lambda trial: (not trial.eligible, metric.gain(0.0, trial.mean)))


def _finished(schedule: Schedule, score: Score, run: Run) -> Iterator[tuple[int, Trial]]:
    """Yield each trial that all parts of are scored, and its number."""
    attempt = partial(_attempt, score)
    while schedule.waiting():  # again after the last if that had to wait for another turn
        tasks = run(attempt, schedule.tasks())
        with caught_warnings(), closing(tasks) as attempts:
            for number, *outcome in attempts:
                trial = schedule.take(number, *outcome)
                if trial:
                    yield number, trial


def _attempt(
    score: Score, number: int, trial: Trial, part: int, seconds: float
) -> tuple[int, int, Trial | str, float]:
    """Return what came of a part of a trial, or why nothing did, and the seconds that it took.

    It may run on another machine, whose clock is another and where an exception stays.
    """
    began, own = time.monotonic(), Trial(trial.candidate, trial.settings)
    failure = ""
    try:
        score(own, part, began + seconds)
    except OutOfTimeError:
        failure = OUT_OF_TIME
    except (ValueError, TypeError) as error:  # what an estimator says of data or settings
        if raised_by_project(error):
            raise
        why = first_line(error)
        failure = f"it fails with {trial.settings or 'its defaults'} ({why})"
    return number, part, failure or own, time.monotonic() - began


@contextmanager
def caught_warnings() -> Iterator[list[str]]:
    """Keep warnings of libraries off the terminal; yield a list of what they said, each once."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield said
    said += dict.fromkeys(str(warning.message).split("\n")[0].rstrip(":. ") for warning in caught)


def build_estimator(
    candidate: Candidate, settings: dict[str, Any], definition: Definition
) -> BaseEstimator:
    """Return the unfitted estimator of a candidate."""
    estimator = clone(candidate.estimator).set_params(**settings)
    seeds = [key for key in estimator.get_params() if key.endswith("random_state")]
    return estimator.set_params(**dict.fromkeys(seeds, definition.search.seed))


def plan_trials(
    candidates: Candidates, definition: Definition, rows: int, *, comparable: bool = True
) -> Plan:
    """Return the trials: all candidates' defaults have the first turn, then come other settings.

    If nothing tells which is better, there is one: the default of the first that takes the rows.
    """
    turns: list[tuple[int, Trial]] = []
    left_out: dict[str, str] = {}
    problem, named = definition.problem, definition.models.candidates
    joined = problem.needs_target and len(named) > 1
    for name in named:
        if name == ENSEMBLE and name not in candidates and joined:
            continue  # it is made when the others are scored
        if name not in candidates:
            raise UserError(
                f'[models] candidates has "{name}"; known candidates: {", ".join(candidates)}.'
            )
        limit = candidates[name].most_rows
        if limit and rows > limit:
            left_out[name] = f"{rows:,} training rows are more than its limit of {limit:,}"
        else:
            choices = enumerate(_settings(candidates[name], definition))
            turns += [(turn, Trial(name, settings)) for turn, settings in choices]
    if comparable or not turns:
        return turns, left_out
    first = turns[0][1].candidate
    others = ", ".join(name for name in named if name != first and name not in left_out)
    return turns[:1], left_out | ({others: UNKNOWN} if others else {})


def _settings(candidate: Candidate, definition: Definition) -> list[dict[str, Any]]:
    takes = candidate.estimator.get_params(deep=False)
    given = definition.problem.always_tried().items()
    always = list(ParameterGrid({k: v for k, v in given if takes.get(k) is not None}))
    others: list[dict[str, Any]] = []
    search = definition.search
    if search.method != "none" and candidate.space:
        others = list(ParameterGrid(candidate.space))
        if search.method != "grid":
            number = search.iterations if search.method == "random" else MOST_SETTINGS
            number = min(number, len(others))
            others = list(ParameterSampler(candidate.space, number, random_state=search.seed))
    return [first | other for other in [{}, *others] for first in always]
