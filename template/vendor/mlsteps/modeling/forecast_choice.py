"""Which candidate forecasts: the mean of several, unless the backtest is sure of another.

The best of few origins is often the luckiest, and a mean of plain forecasters is hard to beat
(Makridakis et al., 2020; Petropoulos and Svetunkov, 2020).
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from ..problem.definition import Definition
from ..problem.metric import Metric
from .search import ENSEMBLE, SearchResult, Trial, rank

MOST_ERROR = 2.0  # times that of the best, with which a candidate is a member
SURE = 1.0  # by how many standard errors another is better,
VERY_SURE = 3.0  # and by how many, where it is one of several: one of them is lucky
LEAST_ORIGINS = 3  # that tell how large a standard error is


def with_ensemble(
    result: SearchResult,
    baselines: Collection[str],
    sizes: list[int],
    metric: Metric,
    definition: Definition,
) -> SearchResult:
    """Score the ensemble, if one is named: the mean of all candidates that are no baselines.

    Those whose error is more than twice that of the best do not count. `sizes` are the numbers of
    values that were forecast from each origin.
    """
    named, trials = definition.models.candidates, result.leaderboard
    if ENSEMBLE not in named or any(trial.candidate == ENSEMBLE for trial in trials):
        return result
    others = {t.candidate: t for t in trials if t.candidate not in baselines}
    if len(others) < 2:
        why = "it joins candidates that are no baselines, of which two have to be scored"
        return replace(result, left_out=result.left_out | {ENSEMBLE: why})
    errors = {name: _scaled_error(trial) for name, trial in others.items()}
    # In the order of [models], so that the same members are the same mean to the last digit.
    members = [others[name] for name in dict.fromkeys(named) if name in others]
    members = [t for t in members if errors[t.candidate] <= MOST_ERROR * min(errors.values())]
    ensemble = Trial(ENSEMBLE, {t.candidate: 1 / len(members) for t in members}, members=members)
    ensemble.fit_seconds = np.sum([t.fit_seconds for t in members], axis=0).tolist()
    ensemble.measured = dict(trials[0].measured)
    found: list[Any] = [t.predictions for t in members]
    mean = np.mean([forecasts["prediction"] for forecasts in found], axis=0)
    ensemble.predictions = forecasts = found[0].assign(prediction=mean)
    ends = np.cumsum(sizes)
    parts = [forecasts.iloc[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    ensemble.scores = [metric(part["true"], part) for part in parts]
    return replace(result, trials=[*result.trials, ensemble])


def choose(result: SearchResult, baselines: dict[str, list[float]], metric: Metric) -> SearchResult:
    """Return the trials with the chosen one first.

    With an ensemble another has to be surely better than it: a baseline by a standard error of the
    mean gain, any other by three. Without one, a candidate has to be surely better than the
    baselines, whose scores are given by name.
    """
    best = {trial.candidate: trial for trial in result.leaderboard}
    ensemble = next((trial for trial in best.values() if trial.members), None)

    def may_win(trial: Trial) -> bool:
        if ensemble is None:
            return trial.candidate in baselines or all(
                surely_better(trial.scores, scores, metric) for scores in baselines.values()
            )
        if trial is ensemble:
            return True
        if trial.candidate in baselines:
            return surely_better(trial.scores, ensemble.scores, metric)
        enough = len(trial.scores) >= LEAST_ORIGINS
        return enough and surely_better(trial.scores, ensemble.scores, metric, VERY_SURE)

    may = {name: may_win(trial) for name, trial in best.items()}
    for trial in result.trials:  # all of a candidate alike: the best of it keeps its place
        trial.eligible = may[trial.candidate]
    return replace(result, trials=rank(result.trials, metric))


def surely_better(
    scores: list[float], others: list[float], metric: Metric, errors: float = SURE
) -> bool:
    """Return whether the mean gain is more than so many of its standard errors."""
    gains = [metric.gain(*pair) for pair in zip(scores, others, strict=True)]
    error = np.std(gains) / np.sqrt(max(1, len(gains) - 1))
    return bool(np.mean(gains) > errors * error)


def _scaled_error(trial: Trial) -> float:
    forecasts: Any = trial.predictions
    errors = (forecasts["true"] - forecasts["prediction"]).abs() / forecasts["scale"]
    return float(errors.mean())


def say_choice(result: SearchResult, baselines: Collection[str]) -> str:
    """Return as a sentence why the first of the trials was chosen, empty without an ensemble."""
    winner = result.trials[0]
    ensemble = next((trial for trial in result.leaderboard if trial.members), None)
    if ensemble is None:
        return ""
    joined = f"The ensemble is the mean of {', '.join(t.candidate for t in ensemble.members)}"
    if winner is ensemble:
        return (
            f"{joined}; no other candidate is better by more than three standard errors in the "
            "backtest, nor a baseline by more than one"
        )
    bar = "one standard error" if winner.candidate in baselines else "three standard errors"
    return f"{joined}; in the backtest {winner.candidate} is better by more than {bar}"
