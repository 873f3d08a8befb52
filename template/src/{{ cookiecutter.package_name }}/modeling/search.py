"""Judge candidates on rows, by folds that are encoded once for all of them."""

import time
import warnings
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from ..preparation.schema import Schema
from ..preparation.split import Folds
from ..problem.definition import Definition
from ..problem.settings import Labels
from . import CANDIDATES, answer, judge, plain_decision
from .compare import SearchResult, build_estimator, compare
from .encoded import Encoded, EncodedFold, Fitted, encode_training
from .training_rows import TrainingRows
from .trial import OutOfTimeError, Trial

PROBE_ROWS = 100_000  # with more rows, the time of a fit is first told from a tenth of them
KEPT_NUMBERS = 30_000_000  # of all folds: with more, each is encoded anew for every trial


def search(
    train: TrainingRows, schema: Schema, folds: Folds, definition: Definition
) -> SearchResult:
    """Judge every candidate on every fold, see `compare`.

    No trial is started that is not expected to end within the budget, and one that outlasts it does
    not count.

    Raises
    ------
    UserError
        If a candidate is unknown, or none could be judged.
    """
    seconds: dict[str, float] = {}  # what one fit of a candidate took

    encoded = {
        labels: [EncodedFold(train, *fold, schema, definition, labels) for fold in folds]
        for labels in get_args(Labels)
    }

    def answer_plainly(
        estimator: BaseEstimator, numbers: pd.DataFrame, target: pd.Series
    ) -> pd.DataFrame:
        answers = answer(estimator, numbers.to_numpy(), plain_decision(target, definition))
        return pd.DataFrame(answers, index=numbers.index)

    def judge_trial(trial: Trial, deadline: float) -> None:
        name = trial.candidate
        if name not in seconds:
            seconds[name] = _probe(name, train, schema, definition, deadline)
        if time.monotonic() + seconds[name] * len(folds) >= deadline:
            raise OutOfTimeError

        def fitted() -> Iterator[Fitted]:
            for k, fold in enumerate(encoded[CANDIDATES[name].labels]):
                if k and time.monotonic() > deadline:
                    raise OutOfTimeError
                estimator = build_estimator(name, trial.settings, definition)
                trial.fit_seconds.append(fit(estimator, fold.inside))
                keep = len(folds) * fold.inside.numbers.size <= KEPT_NUMBERS
                if not keep:
                    fold.forget()
                yield estimator, fold
                if not keep:
                    fold.forget()

        judge(trial, fitted(), answer_plainly, definition)
        seconds[name] = max(trial.fit_seconds)

    return compare(judge_trial, len(train), definition)


def fit(estimator: BaseEstimator, encoded: Encoded) -> float:
    """Fit an estimator; return the seconds that it took, those of the encoder included."""
    started = time.monotonic()
    with warnings.catch_warnings():
        # A search tries settings that do not converge; their scores tell.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(encoded.numbers, encoded.target)
    return encoded.seconds + time.monotonic() - started


def _probe(
    name: str, train: TrainingRows, schema: Schema, definition: Definition, deadline: float
) -> float:
    """Return about how many seconds a fit will take; 0 where it is quick to find out."""
    if len(train) <= PROBE_ROWS or time.monotonic() > deadline:
        return 0.0
    generator = np.random.default_rng(definition.search.seed)
    few = generator.choice(len(train), len(train) // 10, replace=False)
    encoded = encode_training(train, schema, definition, CANDIDATES[name].labels, few)
    return 10 * fit(build_estimator(name, {}, definition), encoded)
