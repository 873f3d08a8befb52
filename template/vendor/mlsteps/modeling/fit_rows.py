"""Learn from rows: cross-validation, then a fit of the best candidate on all of them."""

import time

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from ..preparation.schema import read_schema
from ..preparation.schema import KEY
from ..preparation.split import CutFolds
from ..problem.definition import Definition
from ..problem.project import Project
from ..problem.metric import Metric
from ..variants import of_type
from .candidate import Candidates
from .compare import build_estimator, few_threads
from .encoded import encode_training
from .learnt import Learnt
from .search import fit, search
from .training_rows import TrainingRows

REFERENCE_ROWS = 5000  # what drift is measured against; more would not change a test's answer


def learn(
    project: Project, candidates: Candidates, metric: Metric, cut_folds: CutFolds
) -> Learnt:
    """Search, and fit the best candidate on all training rows.

    Raises
    ------
    UserError
        If no candidate could be judged in time, or one fails.
    """
    definition = project.definition
    schema = read_schema(project.prepared / "schema.json")
    rows = TrainingRows(project.prepared / "train.parquet", schema)
    started = time.monotonic()
    with few_threads(len(rows)):
        result = search(
            rows, schema, cut_folds(rows.beside, definition), candidates, metric, definition
        )
    search_seconds = time.monotonic() - started
    judged = rows.target.loc[result.predictions.index]
    problem = of_type("modeling", definition.problem.type)
    schema.decision = problem.learn_decision(judged, result.predictions, definition)

    best = result.leaderboard[0]
    chosen = candidates[best.candidate]
    estimator = build_estimator(chosen, best.settings, definition)
    encoded = encode_training(rows, schema, definition, chosen.encoder)
    with few_threads(len(rows)):
        fit_seconds = fit(estimator, encoded)
    _use_one_core(estimator)
    pipeline = Pipeline([("encoder", encoded.encoder), ("estimator", estimator)])
    reference = rows.features(_some(len(rows), definition))
    schema.decision |= problem.remember(pipeline, reference, schema)
    return Learnt(
        result,
        pipeline,
        schema,
        rows.beside[KEY].to_numpy("uint64"),
        reference,
        search_seconds,
        fit_seconds,
        judged_by=problem.JUDGED_BY,
    )


def _some(rows: int, definition: Definition) -> np.ndarray:
    generator = np.random.default_rng(definition.search.seed)
    return generator.choice(rows, min(rows, REFERENCE_ROWS), replace=False)


def _use_one_core(estimator: BaseEstimator) -> None:
    """Training takes all cores; an answer is quicker, and kinder to its neighbours, on one."""
    parameters = estimator.get_params()
    estimator.set_params(**{key: 1 for key in parameters if key.endswith("n_jobs")})
