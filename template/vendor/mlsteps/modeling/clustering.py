"""How a row gets its cluster, and how a clustering is scored."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import adjusted_rand_score, silhouette_samples
from sklearn.pipeline import Pipeline

from ..preparation.schema import Schema
from ..problem.clustering import METRICS, PLACE, WIDTH
from ..problem.columns import Column
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics, evaluate_metrics
from ..report import number
from .supervised import Predict
from .unsupervised import spread, stability

if TYPE_CHECKING:  # a predictor is loaded without the search
    from .encoding import Encoded, EncodedFold
    from .search import Trial

SCORED_BY = "clusterings of parts of the rows"
SILHOUETTE_ROWS = 3000  # a silhouette compares each two rows; of more rows a sample is taken
CLOUDS, CLOUD_ROWS = 10, 3000  # that are drawn and cut up, and the most rows of each

MOST_WORDS = 4  # things that are said about a cluster
NOTABLE, STRONG = 0.5, 1.25  # standard deviations between its mean and the mean of all rows
MORE = 0.2  # by which a label's share is above its share in all rows


def score_trial(
    trial: "Trial",
    fitted: "Iterable[tuple[BaseEstimator, EncodedFold]]",
    predict: Predict,
    metric: Metric,
    definition: Definition,
) -> None:
    """Give a trial its scores on all training rows, by models fitted to parts of them.

    How well these models agree is its stability; one that is less stable than
    [problem] minimum_stability cannot win over one that is.
    """
    predictions, silhouettes = [], []
    for estimator, fold in fitted:
        numbers, target = fold.everything
        predictions.append(predict(estimator, numbers, target))
        measured = add_metric_columns(predictions[-1], numbers.to_numpy)
        trial.scores.append(metric(target, measured))
        silhouettes.append(METRICS["silhouette"](target, measured))
    agreed = stability(predictions, agreement)
    if definition.problem.metric == "stability":
        trial.scores = agreed
    trial.measured = {"silhouette": spread(silhouettes), "stability": spread(agreed)}
    trial.eligible = trial.measured["stability"]["value"] >= definition.problem.minimum_stability
    trial.predictions = predictions[0].iloc[
        :0
    ]  # there is none by a model that has not seen the row


def agreement(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Return how alike two groupings of the same rows are: the adjusted Rand index."""
    return float(adjusted_rand_score(one["prediction"], other["prediction"]))


def add_metric_columns(
    predictions: pd.DataFrame, numbers: Callable[[], np.ndarray]
) -> pd.DataFrame:
    """Return predictions with the columns that metrics need: silhouettes, and the numbers.

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


def fit_baselines(
    encoded: "Encoded",
    estimator: BaseEstimator,
    test_rows: int,
    metrics: Metrics,
    definition: Definition,
) -> dict[str, dict[str, Any]]:
    """Return the metrics of clusterings of what has no clusters: ``one_cluster``.

    The same method cuts up rows that are drawn from one Gaussian cloud with the mean and the
    covariance of the training rows, as in SigClust (Liu et al., 2008).
    """
    generator = np.random.default_rng(definition.search.seed)
    rows, numbers = min(test_rows, CLOUD_ROWS), encoded.numbers
    middle, covariance = numbers.mean(axis=0), np.cov(numbers, rowvar=False, ddof=0)
    found = []
    for _ in range(CLOUDS):
        cloud = generator.multivariate_normal(middle, np.atleast_2d(covariance), rows)
        try:
            clusters = clone(estimator).fit(cloud).predict(cloud)
        except ValueError:  # it finds no clusters, as it should
            found.append({"silhouette": 0.0})
        else:
            found.append(evaluate_clusters(cloud, clusters, metrics))
    return {"one_cluster": mean_of_each(found)}


def evaluate_clusters(
    places: np.ndarray, clusters: np.ndarray, metrics: Metrics
) -> dict[str, float]:
    """Return the metrics of a clustering of rows without labels."""
    predictions = pd.DataFrame({"prediction": clusters})
    unknown = pd.Series(None, index=predictions.index, dtype="str")
    return evaluate_metrics(metrics, unknown, add_metric_columns(predictions, lambda: places))


def mean_of_each(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over the clusterings that define it."""
    return {str(name): float(value) for name, value in pd.DataFrame(found).mean().items()}


def default_decision(target: pd.Series, definition: Definition) -> dict[str, Any]:
    """Return the decision before training: there is none to take."""
    return {}


def learn_decision(
    target: pd.Series, predictions: pd.DataFrame, definition: Definition
) -> dict[str, Any]:
    """Return the decision: there is none to take, a row belongs to the cluster it is put into."""
    return {}


def describe_model(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return the names of the clusters, and what each is like."""
    encoder, clusterer = pipeline
    numbers, classes = encoder.transform(features), list(clusterer.classes_)
    clusters = predict(clusterer, numbers, {})["prediction"]
    profiles = {name: profile(features, clusters == name, schema.features) for name in classes}
    return {"classes": classes, "profiles": profiles}


def predict(
    estimator: BaseEstimator, numbers: np.ndarray, decision: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Predict the cluster of each row, and its distance to it in the numbers of the encoder."""
    clusters, distances = estimator.assign(numbers)
    names = np.array(estimator.classes_, dtype=object)
    return {"prediction": names[clusters], "distance": distances}


def profile(features: pd.DataFrame, inside: np.ndarray, columns: list[Column]) -> str:
    """Describe the rows `inside` a cluster against all rows, the most telling first."""
    found = [
        (_number if column.kind in {"number", "date"} else _label)(features[column.name], inside)
        for column in columns
        if column.kind != "text" and features.loc[inside, column.name].notna().any()
    ]
    telling = sorted((f for f in found if f), key=lambda f: -f[0])[:MOST_WORDS]
    return "; ".join(words for _, words in telling) or "typical in every column"


def _number(values: pd.Series, inside: np.ndarray) -> tuple[float, str] | None:
    """Return how far the cluster's mean lies from that of all, and what to say about it."""
    dates = pd.api.types.is_datetime64_any_dtype(values)
    numbers = values.astype("int64").where(values.notna()).astype(float) if dates else values
    deviation = numbers.std()
    if not deviation > 0:
        return None
    effect = (numbers[inside].mean() - numbers.mean()) / deviation
    if abs(effect) < NOTABLE:
        return None
    words = {True: "late" if dates else "high", False: "early" if dates else "low"}[effect > 0]
    very = "very " if abs(effect) >= STRONG else ""
    middles = (values[inside].median(), values.median())
    typical, of_all = (f"{m:%Y-%m-%d}" if dates else number(m) for m in middles)
    return abs(effect), f"{very}{words} {values.name} (typically {typical}, of all {of_all})"


def _label(values: pd.Series, inside: np.ndarray) -> tuple[float, str] | None:
    """Return how much oftener the cluster has a label than all rows, and what to say about it."""
    shares = values[inside].value_counts(normalize=True)
    of_all = values.value_counts(normalize=True).reindex(shares.index)
    label = (shares - of_all).idxmax()
    own, usual = shares[label], of_all[label]
    if own - usual < MORE:
        return None
    effect = (own - usual) / np.sqrt(usual * (1 - usual))
    mostly = "mostly" if own > 0.5 else "often"
    return effect, f"{mostly} {values.name} {label} ({own:.0%}, of all {usual:.0%})"
