"""How a score becomes an alarm, and how a detector of anomalies is scored."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import Pipeline

from ..preparation.schema import Schema
from ..problem.anomaly_detection import ANOMALY, DISTANCE, LABELLED, NORMAL
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics
from .reasons import describe_typical, reasons
from .supervised import Predict
from .unsupervised import spread, stability

if TYPE_CHECKING:  # a predictor is loaded without the search
    from .encoding import Encoded, EncodedFold
    from .search import Trial

SCORED_BY = "cross-validation"


def score_trial(
    trial: "Trial",
    fitted: "Iterable[tuple[BaseEstimator, EncodedFold]]",
    predict: Predict,
    metric: Metric,
    definition: Definition,
) -> None:
    """Give a trial its scores and predictions, of the rows that each fold leaves out.

    How far these models flag the same rows of all is its stability. A fold in which no row is known
    as an anomaly, or none as normal, is left out where the metric takes labels.
    """
    name, held_out, everywhere = definition.problem.metric, [], []
    for estimator, fold in fitted:
        held_out.append(predict(estimator, *fold.held_out))
        everywhere.append(predict(estimator, *fold.everything)["score"])
        if name in LABELLED:
            trial.scores.append(metric(fold.held_out[1], held_out[-1]))
    share = definition.problem.flagged_share
    agreed = stability([flag(scores, share) for scores in everywhere], agreement)
    trial.scores = [score for score in trial.scores if np.isfinite(score)]
    if name not in LABELLED:
        trial.scores = agreed
    if not trial.scores:
        raise ValueError("no fold has both normal rows and anomalies")
    trial.measured = {"stability": spread(agreed)}
    trial.predictions = pd.concat(held_out)


def agreement(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Return how far two models flag the same rows, beyond chance: Cohen's kappa (1960)."""
    return float(cohen_kappa_score(one["prediction"], other["prediction"]))


def flag(scores: pd.Series, share: float) -> pd.DataFrame:
    """Return predictions that flag this share of the rows."""
    return decide(scores, float(scores.quantile(1 - share)))


def add_metric_columns(
    predictions: pd.DataFrame, numbers: Callable[[], np.ndarray]
) -> pd.DataFrame:
    """Return predictions with the score of the baseline: the distance to the mean."""
    places = numbers()
    distances = np.linalg.norm(places - places.mean(axis=0), axis=1)
    return predictions.assign(**{DISTANCE: distances})


def default_decision(target: pd.Series, definition: Definition) -> dict[str, Any]:
    """Return the decision before training: nothing is flagged."""
    return {"classes": [NORMAL, ANOMALY], "threshold": np.inf}


def learn_decision(
    target: pd.Series, predictions: pd.DataFrame, definition: Definition
) -> dict[str, Any]:
    """Learn the threshold: the score above which lie as many rows as shall be flagged."""
    threshold = predictions["score"].quantile(1 - definition.problem.flagged_share)
    return default_decision(target, definition) | {"threshold": float(threshold)}


def describe_model(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return what is stored with the threshold: what a typical row is."""
    return describe_typical(pipeline[0], features, schema)


def fit_baselines(
    encoded: "Encoded",
    estimator: BaseEstimator,
    test_rows: int,
    metrics: Metrics,
    definition: Definition,
) -> dict[str, dict[str, Any]]:
    """Return what baselines have to be fitted: none."""
    return {}


def predict(
    estimator: BaseEstimator, numbers: np.ndarray, decision: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Predict of each row whether it is an anomaly, how strange it is, and why."""
    scores = estimator.score(numbers)
    flagged = scores > decision["threshold"]
    why = np.full(len(scores), "", dtype=object)
    if flagged.any() and "typical" in decision:
        why[flagged] = reasons(estimator, numbers[flagged], decision)
    return {"prediction": _label(flagged), "score": scores, "reasons": why}


def decide(scores: pd.Series, threshold: float) -> pd.DataFrame:
    """Return predictions that flag the rows above a threshold."""
    return pd.DataFrame({"prediction": _label(scores > threshold), "score": scores})


def _label(flagged: np.ndarray | pd.Series) -> np.ndarray:
    return np.where(flagged, ANOMALY, NORMAL).astype(object)
