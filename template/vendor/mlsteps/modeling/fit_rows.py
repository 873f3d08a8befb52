"""Fit models of rows: cross-validation, then a fit of the best candidate to all of them."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import parquet
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline

from ..errors import UserError
from ..preparation.schema import KEY, read_schema
from ..preparation.split import CutFolds, Fold
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics
from ..problem.project import Project
from ..variants import of_type
from .encoding import EncodedFold, TrainingRows
from .parallel import ALL_CORES, few_threads, in_parallel, stopwatch
from .schedule import OutOfTimeError
from .search import (
    REFERENCE_ROWS,
    BuildEncoder,
    Candidate,
    Candidates,
    FittedModel,
    SearchResult,
    Trial,
    build_estimator,
    caught_warnings,
    plan_trials,
    search_candidates,
)

MOST_NUMBERS = 30_000_000  # of all folds: with more, each is encoded anew for every trial
SCORED_BY = {"clustering": "clusterings of parts of the rows"}  # others by cross-validation

Fitted = Iterator[tuple[BaseEstimator, EncodedFold]]


def fit_best(
    project: Project, candidates: Candidates, metrics: Metrics, cut_folds: CutFolds
) -> FittedModel:
    """Search, and fit the best candidate to all training rows."""
    definition = project.definition
    problem = of_type("modeling", definition.problem.type)
    schema = read_schema(project.prepared / "schema.json")
    rows = TrainingRows(project.prepared / "train.parquet", schema, definition)
    folds = list(cut_folds(rows.metadata, definition))
    started = time.monotonic()
    with few_threads(len(rows)):
        result = cross_validate(rows, folds, candidates, metrics[definition.problem.metric])
    search_seconds = time.monotonic() - started
    target = rows.target.loc[result.predictions.index]
    schema.decision = problem.learn_decision(target, result.predictions, definition)

    best = result.leaderboard[0]
    estimator = build_estimator(candidates[best.candidate], best.settings, definition)
    everything = np.arange(len(rows))
    whole = EncodedFold(rows, _encoder(best.candidate, candidates), everything, everything)
    with few_threads(len(rows)), caught_warnings() as warned:
        fit_seconds = _fit(estimator, whole)
    with few_threads(len(rows)):
        if definition.problem.needs_target:
            baselines = _fit_baseline(whole.training[1], definition)
        else:
            test_rows = parquet.read_metadata(project.prepared / "test.parquet").num_rows
            seed = definition.search.seed
            baselines = problem.fit_baselines(
                whole.training[0], estimator, test_rows, metrics, seed
            )
    # Training takes all cores; a prediction is quicker, and kinder to its neighbours, on one.
    _set_jobs(estimator, 1)
    pipeline = Pipeline([("encoder", whole.encoder), ("estimator", estimator)])
    reference = rows.features(rows.sample(REFERENCE_ROWS))
    if not definition.problem.needs_target:
        schema.decision |= problem.describe_model(pipeline, reference, schema)
    return FittedModel(
        result,
        pipeline,
        schema,
        rows.metadata[KEY].to_numpy("uint64"),
        reference,
        search_seconds,
        fit_seconds,
        warned,
        scored_by=SCORED_BY.get(definition.problem.type, "cross-validation"),
        baselines=baselines,
    )


def cross_validate(
    rows: TrainingRows, folds: list[Fold], candidates: Candidates, metric: Metric
) -> SearchResult:
    """Score every candidate on every fold, see `search_candidates`."""
    definition = rows.definition
    plan = plan_trials(candidates, definition, len(rows), {})
    encoders = dict.fromkeys(_encoder(trial.candidate, candidates) for _, trial in plan)
    encoded = {build: [EncodedFold(rows, build, *fold) for fold in folds] for build in encoders}
    kept = _encode(list(encoded.values()))
    # Without a target, what a model says is held against what those of the other folds say.
    apart, score = definition.problem.needs_target, _score_held_out
    if not apart:
        score = of_type("modeling", definition.problem.type).score_trial

    def score_part(trial: Trial, part: int, deadline: float) -> None:
        own = encoded[_encoder(trial.candidate, candidates)]
        own = own[part : part + 1] if apart else own
        fitted = _fit_folds(trial, candidates[trial.candidate], own, deadline, kept=kept)
        score(trial, fitted, metric, definition)

    return search_candidates(
        score_part,
        len(rows),
        candidates,
        metric,
        definition,
        parts=len(folds) if apart else 1,
        jobs=ALL_CORES if kept else 1,
    )


def _encode(encoded: list[list[EncodedFold]]) -> bool:
    """Encode the rows of all folds, if memory holds them; return whether it does.

    Otherwise each fold is encoded for each fit, and one fit at a time has all cores.
    """
    for folds in encoded:
        _encode_fold(folds[0])
        if len(folds) * folds[0].size > MOST_NUMBERS:
            folds[0].forget()
            return False
    for _ in in_parallel(_encode_fold, ((fold,) for folds in encoded for fold in folds)):
        pass
    return True


def _encode_fold(fold: EncodedFold) -> None:
    with suppress(ValueError, TypeError):  # the trial that needs it says so
        fold.training, fold.numbers  # noqa: B018


def _fit_folds(
    trial: Trial, candidate: Candidate, folds: list[EncodedFold], deadline: float, *, kept: bool
) -> Fitted:
    """Yield an estimator that is fitted to each fold, and the fold."""
    for k, fold in enumerate(folds):
        if k and time.monotonic() > deadline:
            raise OutOfTimeError
        estimator = build_estimator(candidate, trial.settings, fold.rows.definition)
        if kept:  # other fits have the other cores
            _set_jobs(estimator, 1)
        trial.fit_seconds.append(_fit(estimator, fold))
        if not kept:
            fold.forget()
        yield estimator, fold
        if not kept:
            fold.forget()


def _fit(estimator: BaseEstimator, fold: EncodedFold) -> float:
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


def _fit_baseline(target: np.ndarray, definition: Definition) -> dict[str, dict[str, Any]]:
    """Return what the baseline predicts for every row, for it does not look at the features."""
    problem, name = of_type("modeling", definition.problem.type), definition.problem.baseline
    kind = {"category": DummyClassifier, "number": DummyRegressor}[definition.problem.target_kind]
    blank = np.empty((len(target), 0))
    decision = problem.default_decision(pd.Series(target), definition)
    predictions = problem.predict(kind(strategy=name).fit(blank, target), blank[:1], decision)
    return {name: {column: values.tolist()[0] for column, values in predictions.items()}}


def _set_jobs(estimator: BaseEstimator, jobs: int) -> None:
    keys = [key for key in estimator.get_params() if key.endswith("n_jobs")]
    estimator.set_params(**dict.fromkeys(keys, jobs))


def _encoder(name: str, candidates: Candidates) -> BuildEncoder:
    encoder = candidates[name].encoder
    if encoder is None:
        raise UserError(f'Candidate "{name}" needs an encoder; give it encoder=one_hot, say.')
    return encoder
