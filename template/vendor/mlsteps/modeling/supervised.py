"""How a trial is judged where there is a target: by cross-validation."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from ..preparation.schema import Schema
from ..problem.definition import Definition
from ..problem.metric import Metric
from .encoded import Answer, Fitted
from .trial import Trial

ESTIMATORS: tuple[type, ...] = ()  # of this project, that candidates are made of
JUDGED_BY = "cross-validation"


def score_trial(
    trial: Trial, fitted: Iterable[Fitted], answer: Answer, metric: Metric, definition: Definition
) -> None:
    """Give a trial its score on the rows that each fold leaves out, and its answers to them."""
    predictions = []
    for estimator, fold in fitted:
        # The numbers have no name here: one would keep them while the next fold is encoded.
        predictions.append(answer(estimator, *fold.outside))
        target = fold.outside[1]
        trial.scores.append(metric(target, predictions[-1]))
    trial.predictions = pd.concat(predictions)


def add_metric_columns(predictions: pd.DataFrame, numbers: Callable[[], np.ndarray]) -> pd.DataFrame:
    """Return answers with what the metrics need beside them: nothing but the target."""
    return predictions


def remember(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return what goes with the model beside its decision: nothing does."""
    return {}
