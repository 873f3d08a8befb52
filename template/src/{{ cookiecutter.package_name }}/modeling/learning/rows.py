"""Learn from rows: cross-validation, then a fit of the best candidate on all of them."""

import time

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from ...files import read_frame, release_memory
from ...preparation.schema import Schema, read_schema
from ...preparation.sets import DATE, KEY
from ...preparation.split import cut_folds
from ...preparation.transformers import Clipper, DateParts, TextTopics
from ...problem.columns import column_of
from ...problem.definition import Definition
from ...problem.project import Project
from .. import ESTIMATORS, JUDGED_BY, learn_decision, remember
from ..compare import build_estimator, few_threads
from ..encoded import encode_training, features_and_target
from ..learnt import Learnt
from ..search import fit, search

OWN_TYPES = (Clipper, DateParts, TextTopics, *ESTIMATORS)  # that a stored model is made of
REFERENCE_ROWS = 5000  # what drift is measured against; more would not change a test's answer


def learn(project: Project) -> Learnt:
    """Search, and fit the best candidate on all training rows.

    Raises
    ------
    UserError
        If no candidate could be judged in time, or one fails.
    """
    definition = project.definition
    schema = read_schema(project.prepared / "schema.json")
    rows = read_frame(project.prepared / "train.parquet")
    if DATE in rows:
        rows = rows.sort_values(DATE, kind="stable")
    started = time.monotonic()
    with few_threads(len(rows)):
        result = search(rows, schema, cut_folds(rows, definition), definition)
    search_seconds = time.monotonic() - started
    judged = column_of(rows, schema.target).loc[result.answers.index]
    schema.decision = learn_decision(judged, result.answers, definition)

    best = result.leaderboard[0]
    estimator = build_estimator(best.candidate, best.settings, definition)
    keys, reference = rows[KEY].to_numpy("uint64"), _reference(rows, schema, definition)
    encoded = encode_training(rows, schema, definition)
    del rows, judged  # as numbers they may fill the memory twice
    release_memory()
    with few_threads(len(keys)):
        fit_seconds = fit(estimator, encoded)
    _use_one_core(estimator)
    pipeline = Pipeline([("encoder", encoded.encoder), ("estimator", estimator)])
    schema.decision |= remember(pipeline, reference, schema)
    return Learnt(
        result,
        pipeline,
        schema,
        keys,
        reference,
        search_seconds,
        fit_seconds,
        judged_by=JUDGED_BY,
    )


def _reference(rows: pd.DataFrame, schema: Schema, definition: Definition) -> pd.DataFrame:
    features, _ = features_and_target(rows, schema)
    number = min(len(features), REFERENCE_ROWS)
    return features.sample(number, random_state=definition.search.seed)


def _use_one_core(estimator: BaseEstimator) -> None:
    """Training takes all cores; an answer is quicker, and kinder to its neighbours, on one."""
    parameters = estimator.get_params()
    estimator.set_params(**{key: 1 for key in parameters if key.endswith("n_jobs")})
