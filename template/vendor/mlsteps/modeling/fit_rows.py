"""Learn from rows: cross-validation, then a fit of the best candidate on all of them."""

import time
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from pyarrow import parquet
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from ..errors import UserError
from ..preparation.schema import KEY, Schema, read_schema
from ..preparation.split import CutFolds, Fold
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics
from ..problem.project import Project
from ..variants import of_type
from .encoding import Encoded, EncodedFold, TrainingRows, encode_training
from .search import (
    BuildEncoder,
    Candidate,
    Candidates,
    FittedModel,
    OutOfTimeError,
    SearchResult,
    Trial,
    build_estimator,
    few_threads,
    search_candidates,
)

REFERENCE_ROWS = 5000  # what drift is measured against; more would not change a test's outcome
PROBE_ROWS = 100_000  # with more rows, the time of a fit is first estimated from a tenth of them
MOST_NUMBERS = 30_000_000  # of all folds: with more, each is encoded anew for every trial


def fit_best(
    project: Project, candidates: Candidates, metrics: Metrics, cut_folds: CutFolds
) -> FittedModel:
    """Search, and fit the best candidate on all training rows."""
    definition = project.definition
    schema = read_schema(project.prepared / "schema.json")
    rows = TrainingRows(project.prepared / "train.parquet", schema)
    folds = list(cut_folds(rows.metadata, definition))
    metric = metrics[definition.problem.metric]
    started = time.monotonic()
    with few_threads(len(rows)):
        result = cross_validate(rows, schema, folds, candidates, metric, definition)
    search_seconds = time.monotonic() - started
    problem = of_type("modeling", definition.problem.type)
    target = rows.target.loc[result.predictions.index]
    schema.decision = problem.learn_decision(target, result.predictions, definition)

    best = result.leaderboard[0]
    candidate, encoder = candidates[best.candidate], _encoder(best.candidate, candidates)
    estimator = build_estimator(candidate, best.settings, definition)
    encoded = encode_training(rows, schema, definition, encoder)
    test_rows = parquet.read_metadata(project.prepared / "test.parquet").num_rows
    with few_threads(len(rows)):
        fit_seconds = fit(estimator, encoded)
        baselines = problem.fit_baselines(encoded, estimator, test_rows, metrics, definition)
    _use_one_core(estimator)
    pipeline = Pipeline([("encoder", encoded.encoder), ("estimator", estimator)])
    reference = rows.features(_sample(len(rows), REFERENCE_ROWS, definition))
    schema.decision |= problem.describe_model(pipeline, reference, schema)
    return FittedModel(
        result,
        pipeline,
        schema,
        rows.metadata[KEY].to_numpy("uint64"),
        reference,
        search_seconds,
        fit_seconds,
        scored_by=problem.SCORED_BY,
        baselines=baselines,
    )


def cross_validate(
    train: TrainingRows,
    schema: Schema,
    folds: list[Fold],
    candidates: Candidates,
    metric: Metric,
    definition: Definition,
) -> SearchResult:
    """Score every candidate on every fold, see `search_candidates`.

    No trial is started that is not expected to end within the budget, and one that outlasts it does
    not count.
    """
    problem = of_type("modeling", definition.problem.type)
    seconds: dict[str, float] = {}  # what one fit of a candidate took
    encoded: dict[BuildEncoder, list[EncodedFold]] = {}

    def predict(estimator: BaseEstimator, numbers: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
        decision = problem.default_decision(target, definition)
        predictions = problem.predict(estimator, numbers.to_numpy(), decision)
        return pd.DataFrame(predictions, index=numbers.index)

    def score_trial(trial: Trial, deadline: float) -> None:
        name = trial.candidate
        candidate, encoder = candidates[name], _encoder(name, candidates)
        if encoder not in encoded:
            encoded[encoder] = [EncodedFold(train, *f, schema, definition, encoder) for f in folds]
        if name not in seconds:
            seconds[name] = _probe(candidate, encoder, train, schema, definition, deadline)
        if time.monotonic() + seconds[name] * len(folds) >= deadline:
            raise OutOfTimeError

        fitted = _fit_folds(encoded[encoder], trial, candidate, definition, deadline)
        problem.score_trial(trial, fitted, predict, metric, definition)
        seconds[name] = max(trial.fit_seconds)

    return search_candidates(score_trial, len(train), candidates, metric, definition)


def _fit_folds(
    folds: list[EncodedFold],
    trial: Trial,
    candidate: Candidate,
    definition: Definition,
    deadline: float,
) -> Iterator[tuple[BaseEstimator, EncodedFold]]:
    """Yield each fold with the estimator that was fitted to it."""
    for k, fold in enumerate(folds):
        if k and time.monotonic() > deadline:
            raise OutOfTimeError
        estimator = build_estimator(candidate, trial.settings, definition)
        trial.fit_seconds.append(fit(estimator, fold.fitted))
        keep = len(folds) * fold.fitted.numbers.size <= MOST_NUMBERS
        if not keep:
            fold.forget()
        yield estimator, fold
        if not keep:
            fold.forget()


def fit(estimator: BaseEstimator, encoded: Encoded) -> float:
    """Fit an estimator; return the seconds that it took, those of the encoder included."""
    started = time.monotonic()
    with warnings.catch_warnings():
        # A search tries settings that do not converge; their scores show it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(encoded.numbers, encoded.target)
    return encoded.seconds + time.monotonic() - started


def _probe(
    candidate: Candidate,
    encoder: BuildEncoder,
    train: TrainingRows,
    schema: Schema,
    definition: Definition,
    deadline: float,
) -> float:
    """Return about how many seconds a fit will take; 0 where it is quick to find out."""
    if len(train) <= PROBE_ROWS or time.monotonic() > deadline:
        return 0.0
    few = _sample(len(train), len(train) // 10, definition)
    encoded = encode_training(train, schema, definition, encoder, few)
    return 10 * fit(build_estimator(candidate, {}, definition), encoded)


def _encoder(name: str, candidates: Candidates) -> BuildEncoder:
    encoder = candidates[name].encoder
    if encoder is None:
        raise UserError(f'Candidate "{name}" needs an encoder; give it encoder=one_hot, say.')
    return encoder


def _sample(rows: int, most: int, definition: Definition) -> np.ndarray:
    generator = np.random.default_rng(definition.search.seed)
    return generator.choice(rows, min(rows, most), replace=False)


def _use_one_core(estimator: BaseEstimator) -> None:
    """Training takes all cores; a prediction is quicker, and kinder to its neighbours, on one."""
    parameters = estimator.get_params()
    estimator.set_params(**{key: 1 for key in parameters if key.endswith("n_jobs")})
