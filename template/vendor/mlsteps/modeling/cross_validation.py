"""Score candidates of rows by cross-validation, and weigh the best against each other."""

import time
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from functools import partial

import pandas as pd
from sklearn.base import BaseEstimator

from ..errors import UserError
from ..preparation.split import Fold
from ..problem.definition import Definition
from ..problem.metric import Metric
from ..variants import of_type
from .encoding import EncodedFold, TrainingRows
from .ensemble import with_ensemble
from .parallel import in_parallel, in_threads, say, seen_by_workers, stopwatch, workers
from .schedule import OutOfTimeError
from .search import (
    ENSEMBLE,
    BuildEncoder,
    Candidate,
    Candidates,
    SearchResult,
    Trial,
    build_estimator,
    caught_warnings,
    plan_trials,
    search_candidates,
)

MOST_NUMBERS = 30_000_000  # of all folds: with more, each is encoded anew for every trial

Fitted = Iterator[tuple[BaseEstimator, EncodedFold]]


def cross_validate(
    rows: TrainingRows,
    folds: list[Fold],
    candidates: Candidates,
    metric: Metric,
    *,
    comparable: bool = True,
) -> SearchResult:
    """Score every candidate on every fold, see `search_candidates`."""
    definition = rows.definition
    plan = plan_trials(candidates, definition, len(rows), comparable=comparable)
    encoders = dict.fromkeys(encoder_of(trial.candidate, candidates) for _, trial in plan[0])
    encoded = {build: [EncodedFold(rows, build, *fold) for fold in folds] for build in encoders}
    with caught_warnings():  # the fit to all rows says them
        kept = _encode(list(encoded.values()))
    parallel = kept or seen_by_workers(rows.path)
    if workers() and not parallel:
        say(
            "has nothing to do in the search: the encoded folds are more than "
            f"{MOST_NUMBERS:,} numbers, so each is made for each fit, and not all workers see the "
            f"rows that it is made of; share {rows.path.parent} with them, under the same path"
        )
    # Without a target, what a model says is held against what those of the other folds say.
    apart, score = definition.problem.needs_target, _score_held_out
    if not apart:
        score = of_type("modeling", definition.problem.type).score_trial

    def score_part(trial: Trial, part: int, deadline: float) -> None:
        own = encoded[encoder_of(trial.candidate, candidates)]
        own = own[part : part + 1] if apart else own
        if not kept:  # another fit, beside this one, makes the same numbers
            own = [copy(fold) for fold in own]
        candidate = candidates[trial.candidate]
        fitted = _fit_folds(trial, candidate, own, deadline, kept=kept, parallel=parallel)
        score(trial, fitted, metric, definition)

    result = search_candidates(
        score_part,
        plan,
        len(rows),
        metric,
        definition,
        parts=len(folds) if apart else 1,
        run=in_parallel if parallel else partial(in_parallel, jobs=1),
    )
    if not kept and ENSEMBLE in definition.models.candidates:
        result.left_out[ENSEMBLE] = "so many rows are not fitted by several models"
        return result
    sizes = [len(held_out) for _, held_out in folds]
    return with_ensemble(result, rows.target, sizes, metric, definition)


def _encode(encoded: list[list[EncodedFold]]) -> bool:
    """Encode the rows of all folds, if memory holds them; return whether it does.

    Otherwise each fold is encoded for each fit, and here one fit at a time has all cores.
    """
    for folds in encoded:
        _encode_fold(folds[0])
        if len(folds) * folds[0].size > MOST_NUMBERS:
            for first, *_ in encoded:
                first.forget()
            return False
    for _ in in_threads(_encode_fold, ((fold,) for folds in encoded for fold in folds)):
        pass
    return True


def _encode_fold(fold: EncodedFold) -> None:
    with suppress(ValueError, TypeError):  # the trial that needs it says so
        fold.training, fold.numbers  # noqa: B018


def _fit_folds(
    trial: Trial,
    candidate: Candidate,
    folds: list[EncodedFold],
    deadline: float,
    *,
    kept: bool,
    parallel: bool,
) -> Fitted:
    """Yield an estimator that is fitted to each fold, and the fold."""
    for k, fold in enumerate(folds):
        if k and time.monotonic() > deadline:
            raise OutOfTimeError
        estimator = build_estimator(candidate, trial.settings, fold.rows.definition)
        if parallel:  # other fits have the other cores
            set_jobs(estimator, 1)
        trial.fit_seconds.append(timed_fit(estimator, fold))
        if not kept:
            fold.forget()
        yield estimator, fold
        if not kept:
            fold.forget()


def timed_fit(estimator: BaseEstimator, fold: EncodedFold) -> float:
    """Fit an estimator; return the seconds that it took, those of the encoder included."""
    numbers, target = fold.training
    seconds = stopwatch()
    estimator.fit(numbers, target)
    return fold.seconds + seconds()


def _score_held_out(trial: Trial, fitted: Fitted, metric: Metric, definition: Definition) -> None:
    """Give a trial its scores and predictions, of the rows that each fold leaves out."""
    problem = of_type("modeling", definition.problem.type)
    predictions = []
    for estimator, fold in fitted:
        decision = problem.default_decision(fold.target, definition)
        columns = problem.predict(estimator, fold.numbers, decision)
        predictions.append(pd.DataFrame(columns, index=fold.target.index))
        trial.scores.append(metric(fold.target, predictions[-1]))
    trial.predictions = pd.concat(predictions)


def set_jobs(estimator: BaseEstimator, jobs: int) -> None:
    """Let an estimator use so many cores; None means one to scikit-learn, to others all."""
    parts = {"": estimator, **estimator.get_params()}
    keys = [key for key in parts if key.endswith("n_jobs")]
    owners = {key: type(parts[key.removesuffix("n_jobs").removesuffix("__")]) for key in keys}
    for key, owner in owners.items():
        if parts[key] is not None or not owner.__module__.startswith("sklearn."):
            estimator.set_params(**{key: jobs})


def encoder_of(name: str, candidates: Candidates) -> BuildEncoder:
    """Return the function that makes the encoder of a candidate."""
    encoder = candidates[name].encoder
    if encoder is None:
        raise UserError(f'Candidate "{name}" needs an encoder; give it encoder=one_hot, say.')
    return encoder
