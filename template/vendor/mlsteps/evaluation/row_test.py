"""The test on rows: the model answers those that were kept back."""

import statistics
import time
from typing import Any

import pandas as pd

from ..files import read_frame
from ..modeling.search import few_threads
from .tested import features_and_target
from ..modeling.predictor import Predictor
from ..preparation.schema import GROUP, KEY
from ..problem.project import Project
from ..problem.metric import Metrics
from ..variants import of_type
from .bootstrap import measure
from .importance import measure_importance
from .slices import measure_slices
from .tested import TestResult, check_defined, costs_of


def test_model(
    project: Project, predictor: Predictor, run: dict[str, Any], metrics: Metrics
) -> TestResult:
    """Answer the test rows with the newest model.

    Raises
    ------
    UserError
        If the prepared rows are missing or damaged, or do not define the metric.
    """
    definition = project.definition
    metric = metrics[definition.problem.metric]
    problem = of_type("evaluation", definition.problem.type)
    names = [column.name for column in predictor.schema.features]
    train = read_frame(project.prepared / "train.parquet", without=names)
    test = read_frame(project.prepared / "test.parquet")
    features, target = features_and_target(test, predictor.schema)
    learnt = bool(test[KEY].isin(train[KEY]).all())
    predictions, on = problem.judged_answers(features, predictor, learnt=learnt)
    judged = predictor.add_metric_columns(predictions, features)
    measured = measure(target, judged, metrics, definition.search.seed, group=test.get(GROUP))
    measured |= {name: x for name, x in run["measured"].items() if name not in measured}
    check_defined(measured, len(test), definition)
    return TestResult(
        target=target,
        predictions=judged,
        features=features,
        schema=predictor.schema,
        definition=definition,
        metric=metric,
        costs=costs_of(run, _milliseconds(predictor)),
        rows=len(test),
        measured=measured,
        baselines=problem.measure_baselines(test, predictor, run["baselines"], metrics, definition),
        checks=problem.checks(test, judged, measured, metric, definition),
        outcome=problem.outcome(target, judged, predictor, definition),
        slices=measure_slices(test, judged, predictor.schema, metric, definition),
        importance=measure_importance(test, predictor, metric, definition).to_dict(
            "records"
        ),
        loss=problem.LOSS.format(metric=metric.title),
        plots=problem.figures(target, judged, predictor, definition),
        further=problem.closer_look(target, judged, predictor, definition),
        on=on,
    )


def _milliseconds(predictor: Predictor) -> float:
    """Return the median time of answering one typical row."""
    row = pd.DataFrame([{column.name: column.example for column in predictor.schema.inputs}])
    seconds = []
    with few_threads(len(row)):
        for _ in range(20):
            started = time.perf_counter()
            predictor.predict(row)
            seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)
