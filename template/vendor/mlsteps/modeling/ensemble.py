"""The ensemble: one more candidate, the weighted mean of what the best others predict."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..problem.definition import Definition
from ..problem.metric import Metric
from ..variants import of_type
from .classification import class_probabilities
from .search import ENSEMBLE, SearchResult, Trial, rank

ROUNDS = 25  # in each of which one member gets a 25th of the weight
MOST_MEMBERS = 5  # a prediction takes as long as those of all members do


class Ensemble(BaseEstimator):
    """The weighted mean of fitted members, each given its own columns of the numbers."""

    def __init__(
        self, members: list[BaseEstimator], weights: list[float], columns: list[list[int]]
    ) -> None:
        self.members, self.weights, self.columns = members, weights, columns
        self.classes_ = getattr(members[0], "classes_", None)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the weighted mean of the members' numbers."""
        return self._mean(lambda member, part: member.predict(part), X)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the weighted mean of the members' probabilities."""
        return self._mean(class_probabilities, X)

    def _mean(self, predict: Callable[..., np.ndarray], X: np.ndarray) -> np.ndarray:
        members = zip(self.members, self.columns, strict=True)
        parts = [predict(member, X[:, start:end]) for member, (start, end) in members]
        return np.tensordot(self.weights, np.stack(parts), axes=1)


def with_ensemble(
    result: SearchResult,
    target: pd.Series,
    sizes: list[int],
    metric: Metric,
    definition: Definition,
) -> SearchResult:
    """Score the ensemble, if one is named, from what the other candidates have predicted.

    The rows of each fold are predicted with weights that were learnt from the other folds, as each
    member has predicted them by a fit to the other folds: so its score can be held against theirs.
    """
    trials = result.leaderboard[:MOST_MEMBERS]
    others = [trial.candidate for trial in trials]
    if ENSEMBLE not in definition.models.candidates or ENSEMBLE in others or len(others) < 2:
        return result
    problem, target = (
        of_type("modeling", definition.problem.type),
        target.loc[result.predictions.index],
    )
    parts = [problem.as_numbers(target, trial.predictions) for trial in trials]
    true, predicted = parts[0][0], np.stack([part for _, part in parts])
    chosen = [(t, w) for t, w in zip(trials, weigh(true, predicted).tolist(), strict=True) if w]
    ensemble = Trial(ENSEMBLE, {t.candidate: w for t, w in chosen}, members=[t for t, _ in chosen])
    ensemble.fit_seconds = np.sum([t.fit_seconds for t, _ in chosen], axis=0).tolist()
    decision, found = problem.default_decision(target, definition), []
    for fold in np.split(np.arange(len(true)), np.cumsum(sizes)[:-1]):
        rest = np.delete(np.arange(len(true)), fold)
        weights = weigh(true[rest], predicted[:, rest])
        mean, known = np.tensordot(weights, predicted[:, fold], axes=1), target.iloc[fold]
        found.append(pd.DataFrame(problem.decide(mean, decision), index=known.index))
        ensemble.scores.append(metric(known, found[-1]))
    ensemble.predictions = pd.concat(found)
    return replace(result, trials=rank([*result.trials, ensemble], metric))


def weigh(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return weights with which the mean of predictions has a small squared error.

    Ensemble selection (Caruana et al., 2004): in each round the member is taken once more with
    which the mean of all that were taken is best. What is taken rarely has no weight, and a few
    rounds keep the weights from fitting the noise.
    """
    errors = (predicted - true).reshape(len(predicted), -1)
    products = errors @ errors.T
    taken = np.zeros(len(predicted))
    for _ in range(ROUNDS):
        taken[np.argmin(2 * products @ taken + np.diag(products))] += 1
    return taken / ROUNDS
