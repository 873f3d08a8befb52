"""The test on rows: the model predicts those that were kept back."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance

from ..files import read_frame
from ..modeling.predictor import Predictor
from ..modeling.search import few_threads
from ..preparation.schema import GROUP, KEY, Schema
from ..problem.columns import column_of
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics
from ..problem.project import Project
from ..variants import of_type
from .bootstrap import measure
from .result import TestResult, check_defined, costs_of, features_and_target, milliseconds

IMPORTANCE_ROWS = 2000  # at most
IMPORTANCE_PREDICTIONS = 250  # in all, so that 500 features do not take an hour
SLICE_ROWS = 30  # at least: below, an interval says no more than that nothing is known
SLICE_RESAMPLES = 200  # of each slice: there are many
MOST_VALUES, MOST_COLUMNS = 10, 8  # of categories that are sliced by if none are named
QUARTERS = ["lowest quarter", "second quarter", "third quarter", "highest quarter"]


def test_model(
    project: Project, predictor: Predictor, run: dict[str, Any], metrics: Metrics
) -> TestResult:
    """Predict the test rows with the newest model, and measure how good that is."""
    definition, schema = project.definition, predictor.schema
    metric = metrics[definition.problem.metric]
    problem = of_type("evaluation", definition.problem.type)
    names = [column.name for column in schema.features]
    train = read_frame(project.prepared / "train.parquet", without=names)
    test = read_frame(project.prepared / "test.parquet")
    features, target = features_and_target(test, schema)
    seen = bool(test[KEY].isin(train[KEY]).all())
    predictions, tested_on = problem.predict_test(features, predictor, seen=seen)
    predictions = predictor.add_metric_columns(predictions, features)
    measured = measure(target, predictions, metrics, definition.search.seed, group=test.get(GROUP))
    measured |= {name: x for name, x in run["measured"].items() if name not in measured}
    check_defined(measured, len(test), definition)
    example = pd.DataFrame([{column.name: column.example for column in schema.inputs}])
    return TestResult(
        target=target,
        predictions=predictions,
        features=features,
        schema=schema,
        definition=definition,
        metric=metric,
        costs=costs_of(run, milliseconds(lambda: predictor.predict(example), times=20)),
        rows=len(test),
        measured=measured,
        baselines=problem.measure_baselines(test, predictor, run["baselines"], metrics, definition),
        checks=problem.checks(test, predictions, measured, metric, definition),
        outcome=problem.outcome(target, predictions, predictor, definition),
        slices=measure_slices(test, predictions, schema, metric, definition),
        importance=measure_importance(test, predictor, metric, definition).to_dict("records"),
        loss=problem.LOSS.format(metric=metric.title),
        plots=problem.plots(target, predictions, predictor, definition),
        tables=problem.tables(target, predictions, predictor),
        tested_on=tested_on,
    )


def measure_importance(
    rows: pd.DataFrame, predictor: Predictor, metric: Metric, definition: Definition
) -> pd.DataFrame:
    """Return what is lost when each feature is shuffled (Breiman, 2001)."""
    seed = definition.search.seed
    sample = rows.sample(min(len(rows), IMPORTANCE_ROWS), random_state=seed)
    features, target = features_and_target(sample, predictor.schema)
    problem = of_type("evaluation", definition.problem.type)
    score = problem.importance_score(sample, predictor, metric, definition)
    with few_threads(len(sample)):
        result = permutation_importance(
            predictor.pipeline,
            features,
            target,
            scoring=lambda _, shuffled, __: score(shuffled),
            n_repeats=int(np.clip(IMPORTANCE_PREDICTIONS // features.shape[1], 1, 5)),
            random_state=seed,
        )
    losses = {"loss": result.importances_mean, "deviation": result.importances_std}
    found = pd.DataFrame({"feature": features.columns, **losses})
    return found.sort_values("loss", ascending=False, ignore_index=True)


def measure_slices(
    rows: pd.DataFrame,
    predictions: pd.DataFrame,
    schema: Schema,
    metric: Metric,
    definition: Definition,
) -> list[dict[str, Any]]:
    """Return the metric for each value of the columns in [evaluation] slices.

    Numbers are cut at the quartiles of the test set. Without such columns, the categories with few
    values are taken. Slices with few rows, or where the metric is not defined, are left out.
    """
    few = [
        column.name
        for column in schema.features
        if column.kind == "category" and 2 <= len(column.categories) <= MOST_VALUES
    ]
    name, seed = definition.problem.metric, definition.search.seed
    found = []
    for column in definition.evaluation.slices or few[:MOST_COLUMNS]:
        values = rows[column]
        if pd.api.types.is_numeric_dtype(values):
            values = pd.qcut(values.rank(method="first"), 4, labels=QUARTERS).astype("str")
        for label, part in rows.groupby(values.fillna("missing").astype("str")):
            if len(part) < SLICE_ROWS:
                continue
            measured = measure(
                column_of(part, schema.target),
                predictions.loc[part.index],
                {name: metric},
                seed,
                most=SLICE_RESAMPLES,
                group=part.get(GROUP),
            )
            if name in measured:
                found.append(
                    {"column": column, "slice": label, "rows": len(part), **measured[name]}
                )
    return found
