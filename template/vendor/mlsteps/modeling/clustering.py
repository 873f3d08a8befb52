"""The candidates for grouping rows, and how a row gets its cluster."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.metrics import adjusted_rand_score, silhouette_samples
from sklearn.pipeline import Pipeline

from ..preparation.schema import Schema
from ..problem.clustering import METRICS, PLACE, WIDTH
from ..problem.definition import Definition
from ..problem.metric import Metric
from .clusterer import Clusterer
from .encoded import Answer, Fitted
from .profile import profile
from .trial import Trial
from .unsupervised import spread, stability

SILHOUETTE_ROWS = 3000  # a silhouette compares each two rows; of more rows a sample is taken
ESTIMATORS = (Clusterer,)  # of this project, that candidates are made of
JUDGED_BY = "clusterings of parts of the rows"


def score_trial(
    trial: Trial, fitted: Iterable[Fitted], answer: Answer, metric: Metric, definition: Definition
) -> None:
    """Give a trial its scores on all training rows, by models that have learnt from parts of them.

    How well these models agree is its stability; one that is less stable than asked for cannot
    win over one that is.
    """
    predictions, silhouettes = [], []
    for estimator, fold in fitted:
        numbers, target = fold.everything
        predictions.append(answer(estimator, numbers, target))
        measured = add_metric_columns(predictions[-1], numbers.to_numpy)
        trial.scores.append(metric(target, measured))
        silhouettes.append(METRICS["silhouette"](target, measured))
    agreed = stability(predictions, agreement)
    if definition.problem.metric == "stability":
        trial.scores = agreed
    trial.measured = {"silhouette": spread(silhouettes), "stability": spread(agreed)}
    trial.eligible = trial.measured["stability"]["value"] >= definition.problem.minimum_stability
    trial.predictions = predictions[0].iloc[:0]  # there is none by a model that has not seen the row


def agreement(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Return how alike two groupings of the same rows are: the adjusted Rand index."""
    return float(adjusted_rand_score(one["prediction"], other["prediction"]))


def add_metric_columns(predictions: pd.DataFrame, numbers: Callable[[], np.ndarray]) -> pd.DataFrame:
    """Return answers with what the metrics need beside them: silhouettes, and the numbers.

    Of many rows a random sample has a silhouette, among themselves.
    """
    places, clusters = numbers(), predictions["prediction"].to_numpy()
    rows = np.arange(len(places))
    if len(rows) > SILHOUETTE_ROWS:
        rows = np.random.default_rng(0).permutation(rows)[:SILHOUETTE_ROWS]
    widths = np.full(len(places), np.nan)
    if 1 < len(np.unique(clusters[rows])) < len(rows):
        widths[rows] = silhouette_samples(places[rows], clusters[rows])
    names = [f"{PLACE}{k}" for k in range(places.shape[1])]
    placed = pd.DataFrame(places, index=predictions.index, columns=names)
    return pd.concat([predictions.assign(**{WIDTH: widths}), placed], axis="columns")


def default_decision(target: pd.Series, definition: Definition) -> dict[str, Any]:
    """Return the decision before anything is learnt: there is none to take."""
    return {}


def learn_decision(
    target: pd.Series, predictions: pd.DataFrame, definition: Definition
) -> dict[str, Any]:
    """Return the decision: there is none to take, a row belongs to the cluster it is put into."""
    return {}


def remember(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return what goes with the model: the names of the clusters, and what each is like."""
    encoder, clusterer = pipeline
    numbers, classes = encoder.transform(features), list(clusterer.classes_)
    clusters = answer(clusterer, numbers, {})["prediction"]
    profiles = {name: profile(features, clusters == name, schema.features) for name in classes}
    return {"classes": classes, "profiles": profiles}


def answer(
    estimator: BaseEstimator, numbers: np.ndarray, decision: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Answer each row with its cluster and its distance to it, in the numbers of the encoder.

    Returns
    -------
    dict
        Columns with one value for a row: ``prediction``, the name of a cluster ("1" is the
        largest), and ``distance``, to its centre; with HDBSCAN, to the nearest row that is sure of
        it.
    """
    clusters, distances = estimator.assign(numbers)
    return {
        "prediction": np.array(estimator.classes_, dtype=object)[clusters],
        "distance": distances,
    }
