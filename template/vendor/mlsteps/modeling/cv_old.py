"""Judge candidates on rows, by folds that are encoded once for all of them."""

import time
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from ..preparation.schema import Schema
from ..preparation.split import Folds
from ..problem.definition import Definition
from ..problem.metric import Metric
from ..variants import of_type
from .candidate import Candidate, Candidates
from .compare import SearchResult, build_estimator, compare
from .encoded import Encoded, EncodedFold, Fitted, encode_training
from .training_rows import TrainingRows
from .trial import OutOfTimeError, Trial

PROBE_ROWS = 100_000  # with more rows, the time of a fit is first told from a tenth of them
KEPT_NUMBERS = 30_000_000  # of all folds: with more, each is encoded anew for every trial


def search(
    train: TrainingRows,
    schema: Schema,
    folds: Folds,
    candidates: Candidates,
    metric: Metric,
    definition: Definition,
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

    problem = of_type("modeling", definition.problem.type)
    encoded = {
        build: [EncodedFold(train, *fold, schema, definition, build) for fold in folds]
        for build in {candidate.encoder for candidate in candidates.values()}
    }

    def answer_plainly(
        estimator: BaseEstimator, numbers: pd.DataFrame, target: pd.Series
    ) -> pd.DataFrame:
        predictions = problem.answer(
            estimator, numbers.to_numpy(), problem.default_decision(target, definition)
        )
        return pd.DataFrame(predictions, index=numbers.index)

    def judge_trial(trial: Trial, deadline: float) -> None:
        name = trial.candidate
        if name not in seconds:
            seconds[name] = _probe(candidates[name], train, schema, definition, deadline)
        if time.monotonic() + seconds[name] * len(folds) >= deadline:
            raise OutOfTimeError

        def fitted() -> Iterator[Fitted]:
            for k, fold in enumerate(encoded[candidates[name].encoder]):
                if k and time.monotonic() > deadline:
                    raise OutOfTimeError
                estimator = build_estimator(candidates[name], trial.settings, definition)
                trial.fit_seconds.append(fit(estimator, fold.inside))
                keep = len(folds) * fold.inside.numbers.size <= KEPT_NUMBERS
                if not keep:
                    fold.forget()
                yield estimator, fold
                if not keep:
                    fold.forget()

        problem.score_trial(trial, fitted(), answer_plainly, metric, definition)
        seconds[name] = max(trial.fit_seconds)

    return compare(judge_trial, len(train), candidates, metric, definition)


def fit(estimator: BaseEstimator, encoded: Encoded) -> float:
    """Fit an estimator; return the seconds that it took, those of the encoder included."""
    started = time.monotonic()
    with warnings.catch_warnings():
        # A search tries settings that do not converge; their scores tell.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(encoded.numbers, encoded.target)
    return encoded.seconds + time.monotonic() - started


def _probe(
    candidate: Candidate, train: TrainingRows, schema: Schema, definition: Definition, deadline: float
) -> float:
    """Return about how many seconds a fit will take; 0 where it is quick to find out."""
    if len(train) <= PROBE_ROWS or time.monotonic() > deadline:
        return 0.0
    generator = np.random.default_rng(definition.search.seed)
    few = generator.choice(len(train), len(train) // 10, replace=False)
    encoded = encode_training(train, schema, definition, candidate.encoder, few)
    return 10 * fit(build_estimator(candidate, {}, definition), encoded)
