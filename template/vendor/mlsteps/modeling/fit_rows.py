"""Fit models of rows: cross-validation, then a fit of the best candidate to all of them."""

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pandas as pd
from joblib import cpu_count
from pyarrow import parquet
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import FeatureUnion, Pipeline

from ..preparation.schema import KEY, read_schema
from ..preparation.split import CutFolds
from ..problem.definition import Definition
from ..problem.metric import Metrics
from ..problem.project import Project
from ..problem.sample import ALL_ROWS
from ..variants import of_type
from .all_rows import with_all_rows
from .cluster_choice import choose
from .cross_validation import cross_validate, encoder_of, set_jobs, timed_fit
from .encoding import EncodedFold, TrainingRows
from .ensemble import Ensemble
from .parallel import ALL_CORES, few_threads, in_parallel
from .search import (
    REFERENCE_ROWS,
    Candidates,
    FittedModel,
    Trial,
    build_estimator,
    caught_warnings,
)

FEW = 100  # rows that show what a fitted candidate is made of
COUNTS = ("n_estimators", "max_iter")  # parameters that make a fit long, and change no type
SCORED_BY = {"clustering": "clusterings of parts of the rows"}  # others by cross-validation


def fit_to_few(project: Project, candidates: Candidates) -> Iterator[tuple[str, list[Any]]]:
    """Yield each candidate's encoder and estimator, fitted to a few rows unless that fails.

    That shows at once of which types a model is made; what fails is told by the search.
    """
    definition, schema = project.definition, read_schema(project.prepared / "schema.json")
    rows = TrainingRows(project.prepared / "train.parquet", schema, definition)
    turns = rows.target.groupby(rows.target, dropna=False).cumcount()  # of each class alike
    few = np.argsort(turns.to_numpy(), kind="stable")[:FEW]
    features, known = rows.features(few), rows.target.iloc[few].to_numpy()
    for name, candidate in candidates.items():
        encoder = encoder_of(name, candidates)(schema.features, definition)
        estimator = build_estimator(candidate, {}, definition)
        _shorten(estimator)
        with few_threads(len(few)), caught_warnings(), suppress(Exception):
            estimator.fit(np.asarray(encoder.fit_transform(features, known)), known)
        yield name, [encoder, estimator]


def _shorten(estimator: BaseEstimator) -> None:
    """Let a fit take no longer than it must, that of estimators in lists as well."""
    settings = estimator.get_params()
    estimator.set_params(**{key: 2 for key in settings if key.endswith(COUNTS)})
    lists = (value for value in settings.values() if isinstance(value, list))
    for each in chain.from_iterable(lists):
        if isinstance(each, BaseEstimator):
            _shorten(each)


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
        chosen_by = definition.problem.chosen_by(rows.target)
        metric = metrics[chosen_by or definition.problem.metric]
        result = cross_validate(rows, folds, candidates, metric, comparable=bool(chosen_by))
    result, all_rows = with_all_rows(result, rows, folds, candidates, metric, project.prepared)
    choice: dict[str, Any] = {}
    if definition.problem.type == "clustering":
        result, choice = choose(result, metric, definition.search.seed)
    search_seconds = time.monotonic() - started
    target = rows.target.loc[result.predictions.index]
    schema.decision = problem.learn_decision(target, result.predictions, definition)

    best, keys = result.trials[0], rows.metadata[KEY].to_numpy("uint64")
    joined = all_rows if best.candidate == ALL_ROWS else None
    with few_threads(len(rows)):
        with caught_warnings() as warned:
            own = joined.base if joined else best
            pipeline, whole, fit_seconds = _fit_to_all(own, candidates, rows)
        if definition.problem.needs_target:
            baselines = _fit_baseline(whole.training[1], definition)
        else:
            test_rows = parquet.read_metadata(project.prepared / "test.parquet").num_rows
            seed = definition.search.seed
            baselines = problem.fit_baselines(
                whole.training[0], pipeline[-1], test_rows, metrics, seed
            )
    if joined:
        pipeline = joined.join(pipeline, len(rows), whole.training[0].shape[1])
        keys = np.concatenate([keys, joined.keys])
        fit_seconds += joined.parts.seconds
    reference = rows.features(rows.sample(REFERENCE_ROWS))
    if not definition.problem.needs_target:
        schema.decision |= problem.describe_model(pipeline, reference, schema)
    return FittedModel(
        result,
        pipeline,
        schema,
        keys,
        reference,
        search_seconds,
        fit_seconds,
        warned,
        scored_by=SCORED_BY.get(definition.problem.type, "cross-validation"),
        baselines=baselines,
        chosen_by=chosen_by,
        choice=choice,
        all_rows=all_rows.said() if all_rows else "",
    )


def _fit_to_all(
    best: Trial, candidates: Candidates, rows: TrainingRows
) -> tuple[Pipeline, EncodedFold, float]:
    """Fit the best candidate, or each member of an ensemble; also return the rows and the time."""
    trials = best.members or [best]
    builders = [encoder_of(trial.candidate, candidates) for trial in trials]
    everything = np.arange(len(rows))
    whole = {b: EncodedFold(rows, b, everything, everything) for b in dict.fromkeys(builders)}
    ends = np.cumsum([fold.training[0].shape[1] for fold in whole.values()]).tolist()

    def fit(k: int) -> tuple[int, BaseEstimator, float]:
        candidate, settings = candidates[trials[k].candidate], trials[k].settings
        estimator = build_estimator(candidate, settings, rows.definition)
        if best.members:  # others are fitted beside it
            set_jobs(estimator, 1)
        seconds = timed_fit(estimator, whole[builders[k]])
        # Training takes all cores; a prediction is quicker, and kinder to its neighbours, on one.
        set_jobs(estimator, 1)
        return k, estimator, seconds

    tasks = ((k,) for k in range(len(trials)))
    fitted = sorted(in_parallel(fit, tasks, ALL_CORES if best.members else 1))
    encoder, model = whole[builders[0]].encoder, fitted[0][1]
    if best.members:
        encoder = FeatureUnion([(f"part_{k}", f.encoder) for k, f in enumerate(whole.values())])
        columns = dict(zip(whole, map(list, pairwise([0, *ends])), strict=True))
        model = Ensemble(
            [estimator for _, estimator, _ in fitted],
            list(best.settings.values()),
            [columns[build] for build in builders],
        )
    pipeline = Pipeline([("encoder", encoder), ("estimator", model)])
    seconds = [taken for *_, taken in fitted]  # beside each other, if nothing else uses the cores
    return pipeline, whole[builders[0]], max(*seconds, sum(seconds) / cpu_count(), 0.0)


def _fit_baseline(target: np.ndarray, definition: Definition) -> dict[str, dict[str, Any]]:
    """Return what the baseline predicts for every row, for it does not look at the features."""
    problem, name = of_type("modeling", definition.problem.type), definition.problem.baseline
    kind = {"category": DummyClassifier, "number": DummyRegressor}[definition.problem.target_kind]
    blank = np.empty((len(target), 0))
    decision = problem.default_decision(pd.Series(target), definition)
    predictions = problem.predict(kind(strategy=name).fit(blank, target), blank[:1], decision)
    return {name: {column: values.tolist()[0] for column, values in predictions.items()}}
