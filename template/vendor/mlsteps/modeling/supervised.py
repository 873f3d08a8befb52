"""How a trial is scored where there is a target: by cross-validation."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from ..preparation.schema import Schema
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics
from ..variants import of_type

if TYPE_CHECKING:  # a predictor is loaded without the search
    from .encoding import Encoded, EncodedFold
    from .search import Trial

Predict = Callable[[BaseEstimator, pd.DataFrame, pd.Series], pd.DataFrame]

SCORED_BY = "cross-validation"


def score_trial(
    trial: "Trial",
    fitted: "Iterable[tuple[BaseEstimator, EncodedFold]]",
    predict: Predict,
    metric: Metric,
    definition: Definition,
) -> None:
    """Give a trial its scores and predictions, of the rows that each fold leaves out."""
    predictions = []
    for estimator, fold in fitted:
        # The numbers have no name here: one would keep them while the next fold is encoded.
        predictions.append(predict(estimator, *fold.held_out))
        trial.scores.append(metric(fold.held_out[1], predictions[-1]))
    trial.predictions = pd.concat(predictions)


def add_metric_columns(
    predictions: pd.DataFrame, numbers: Callable[[], np.ndarray]
) -> pd.DataFrame:
    """Return predictions with the columns that metrics need: there are none but the predictions."""
    return predictions


def describe_model(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return what is stored with the model's decision: nothing."""
    return {}


def fit_baselines(
    encoded: "Encoded",
    estimator: BaseEstimator,
    test_rows: int,
    metrics: Metrics,
    definition: Definition,
) -> dict[str, dict[str, Any]]:
    """Return what the baseline predicts for every row, for it does not look at the features."""
    from sklearn.dummy import DummyClassifier, DummyRegressor  # of no use to a predictor

    problem, name = of_type("modeling", definition.problem.type), definition.problem.baseline
    blank, target = np.empty((len(encoded.target), 0)), encoded.target
    kind = {"category": DummyClassifier, "number": DummyRegressor}[definition.problem.target_kind]
    baseline = kind(strategy=name).fit(blank, target)
    decision = problem.default_decision(pd.Series(target), definition)
    predictions = problem.predict(baseline, blank[:1], decision)
    return {name: {column: values.tolist()[0] for column, values in predictions.items()}}
