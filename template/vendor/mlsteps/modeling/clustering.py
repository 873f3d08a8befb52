"""How a row gets its cluster, what each cluster is like, and how a clustering is scored."""

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score, silhouette_samples
from sklearn.pipeline import Pipeline

from ..preparation.schema import Schema
from ..problem.clustering import METRICS, PLACE, WIDTH
from ..problem.columns import Column
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics, evaluate_metrics
from ..report import number
from .cluster_choice import cluster_stabilities, gains_in_density

if TYPE_CHECKING:  # a predictor is loaded without the search
    from .encoding import EncodedFold
    from .estimators import Clusterer
    from .search import Trial

SILHOUETTE_ROWS = 3000  # a silhouette compares each two rows; of more rows a sample is taken
CLOUDS, CLOUD_ROWS = 10, 3000  # that are drawn and cut up, and the most rows of each
FAR = 1.5  # times as far from its cluster as any row that this was fitted to: an outlier
MOST_WORDS = 4  # things that are said about a cluster
NOTABLE, STRONG = 0.5, 1.25  # standard deviations between its mean and the mean of all rows


def learn_decision(
    target: pd.Series, predictions: pd.DataFrame, definition: Definition
) -> dict[str, Any]:
    """Return the decision: there is none to take, a row belongs to the cluster it is put into."""
    return {}


def predict(
    estimator: "Clusterer", numbers: np.ndarray, decision: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Predict the cluster of each row, and its distance to it in the numbers of the encoder."""
    clusters, distances = estimator.assign(numbers)
    names = np.array(estimator.classes_, dtype=object)
    return {"prediction": names[clusters], "distance": distances}


def agreement(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Return how alike two groupings of the same rows are: the adjusted Rand index."""
    return float(adjusted_rand_score(one["prediction"], other["prediction"]))


def add_metric_columns(predictions: pd.DataFrame, numbers: np.ndarray) -> pd.DataFrame:
    """Return predictions with the columns that metrics need: silhouettes, and the numbers.

    Of many rows a random sample has a silhouette, among themselves.
    """
    clusters, rows = predictions["prediction"].to_numpy(), np.arange(len(numbers))
    if len(rows) > SILHOUETTE_ROWS:
        rows = np.random.default_rng(0).permutation(rows)[:SILHOUETTE_ROWS]
    widths = np.full(len(numbers), np.nan)
    if 1 < len(np.unique(clusters[rows])) < len(rows):
        widths[rows] = silhouette_samples(numbers[rows], clusters[rows])
    names = [f"{PLACE}{k}" for k in range(numbers.shape[1])]
    places = pd.DataFrame(numbers, index=predictions.index, columns=names)
    return pd.concat([predictions.assign(**{WIDTH: widths}), places], axis="columns")


def score_trial(
    trial: "Trial",
    fitted: Iterable[tuple["Clusterer", "EncodedFold"]],
    metric: Metric,
    definition: Definition,
) -> None:
    """Give a trial its scores on all training rows, by models fitted to parts of them.

    How well these models agree is its stability; one that is less stable than
    [problem] minimum_stability cannot win over one that is. `choose` says what wins.
    """
    groupings, silhouettes, gains = [], [], []
    numbers: list[int] = []
    for estimator, fold in fitted:
        groupings.append(pd.DataFrame(predict(estimator, fold.numbers, {}), fold.target.index))
        reach = dict(zip(estimator.classes_, estimator.reach_, strict=True))
        far = are_outliers(groupings[-1], {"reach": reach})
        clusters = groupings[-1]["prediction"].mask(far).to_numpy()
        known, new = fold.fit_positions, fold.held_out
        gain = gains_in_density(
            fold.numbers[known], clusters[known], fold.numbers[new], clusters[new]
        )
        gains.append(gain)
        numbers.append(len(estimator.classes_))
        measured = add_metric_columns(groupings[-1], fold.numbers)
        trial.scores.append(metric(fold.target, measured))
        silhouettes.append(METRICS["silhouette"](fold.target, measured))
    agreed = [agreement(*pair) for pair in combinations(groupings, 2)]
    if definition.problem.metric == "stability":
        trial.scores = agreed
    trial.measure("silhouette", silhouettes)
    trial.measure("stability", agreed)
    trial.measure("weakest", cluster_stabilities([g["prediction"] for g in groupings]))
    trial.evidence["clusters"] = int(np.median(numbers))
    if all(gain.size for gain in gains):
        trial.measure("density_gain", [gain.mean() for gain in gains])
        trial.evidence["gains"] = np.concatenate(gains)
    trial.eligible = trial.measured["stability"]["value"] >= definition.problem.minimum_stability
    trial.predictions = groupings[0].head(0)  # none is by a model that has not seen the row


def fit_baselines(
    numbers: np.ndarray, estimator: "Clusterer", test_rows: int, metrics: Metrics, seed: int
) -> dict[str, dict[str, Any]]:
    """Return the metrics of clusterings of what has no clusters: ``one_cluster``.

    The same method cuts up rows that are drawn from one Gaussian cloud with the mean and the
    covariance of the training rows, as in SigClust (Liu et al., 2008).
    """
    generator = np.random.default_rng(seed)
    middle, covariance = numbers.mean(axis=0), np.cov(numbers, rowvar=False, ddof=0)
    rows, found = min(test_rows, CLOUD_ROWS), []
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
    numbers: np.ndarray, clusters: np.ndarray, metrics: Metrics
) -> dict[str, float]:
    """Return the metrics of a clustering of rows without labels."""
    predictions = pd.DataFrame({"prediction": clusters})
    unknown = pd.Series(None, index=predictions.index, dtype="str")
    return evaluate_metrics(metrics, unknown, add_metric_columns(predictions, numbers))


def mean_of_each(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over the clusterings that define it."""
    return {str(name): float(value) for name, value in pd.DataFrame(found).mean().items()}


def describe_model(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return the names of the clusters, and what each is like."""
    encoder, clusterer = pipeline
    clusters, classes = clusterer.predict(encoder.transform(features)), list(clusterer.classes_)
    profiles = {name: profile(features, clusters == name, schema.features) for name in classes}
    reach = dict(zip(classes, clusterer.reach_.tolist(), strict=True))
    return {"classes": classes, "profiles": profiles, "reach": reach}


def are_outliers(predictions: pd.DataFrame, decision: dict[str, Any]) -> pd.Series:
    """Return which rows are far from the cluster that they were put into."""
    reach = predictions["prediction"].map(decision.get("reach", {})).astype("float64")
    outliers: pd.Series = predictions["distance"] > FAR * reach
    return outliers


def profile(features: pd.DataFrame, inside: np.ndarray, columns: list[Column]) -> str:
    """Describe the rows `inside` a cluster against all rows, the most telling first."""
    found = [
        (_label if column.kind == "category" else _number)(features[column.name], inside)
        for column in columns
        if column.kind != "text" and features.loc[inside, column.name].notna().any()
    ]
    found = sorted((x for x in found if x[0] >= NOTABLE), key=lambda x: -x[0])
    return "; ".join(words for _, words in found[:MOST_WORDS]) or "typical in every column"


def _number(values: pd.Series, inside: np.ndarray) -> tuple[float, str]:
    """Return by how many deviations the cluster's mean is another, and what to say about it."""
    dates = pd.api.types.is_datetime64_any_dtype(values)
    deviation = values.std()
    effect = (values[inside].mean() - values.mean()) / deviation if deviation else 0.0
    word = ("late" if dates else "high") if effect > 0 else ("early" if dates else "low")
    very = "very " if abs(effect) >= STRONG else ""
    medians = (values[inside].median(), values.median())
    typical, of_all = (f"{m:%Y-%m-%d}" if dates else number(m) for m in medians)
    return abs(effect), f"{very}{word} {values.name} (typically {typical}, of all {of_all})"


def _label(values: pd.Series, inside: np.ndarray) -> tuple[float, str]:
    """Return by how many deviations a label is more frequent, and what to say about it."""
    shares = values[inside].value_counts(normalize=True)
    of_all = values.value_counts(normalize=True).reindex(shares.index)
    label = (shares - of_all).idxmax()
    own, usual = shares[label], of_all[label]
    effect = (own - usual) / max(np.sqrt(usual * (1 - usual)), 1e-12)
    mostly = "mostly" if own > 0.5 else "more often"
    return effect, f"{mostly} {values.name} {label} ({own:.0%}, of all {usual:.0%})"
