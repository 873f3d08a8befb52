"""What is particular to grouping rows: the number of clusters, metrics and baselines."""

from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from ..errors import UserError
from .columns import labels
from .metric import HIGHER, LOWER, STABILITY, metric_table
from .settings import RowEvaluation, Unsupervised

Evaluation = RowEvaluation
MOST_TRIED, ROWS_IN_CLUSTER = 10, 10  # where nobody has said how many clusters there may be
WIDTH = " silhouette"  # a row's own; no column that was collected begins with a blank
PLACE = " place "  # the beginning of the names of a row's numbers


class Problem(Unsupervised):
    """``[problem]``: how many clusters there may be, and what is good enough."""

    learns_from_feedback: ClassVar[bool] = False
    TASK: ClassVar[str] = (
        "Group {rows} by {columns} into {problem.clusters[0]} to {problem.clusters[1]} "
        "clusters{target}."
    )
    PURPOSE: ClassVar[str] = "put a row into the cluster of the rows that are like it"
    RIVAL: ClassVar[str] = "random clusters, and than cutting up one cloud without clusters in it"

    type: Literal["clustering"]
    #: the fewest and the most that are tried, from 2 up
    clusters: list[int] = Field(min_length=2, max_length=2)
    #: how alike the clusters of different parts of the rows have to be (adjusted Rand index)
    minimum_stability: float = Field(default=0.6, ge=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        fewest, most = self.clusters
        if not 2 <= fewest <= most:
            raise ValueError(
                f"[problem] clusters is {self.clusters}; it must be the fewest and the most that "
                "are tried, from 2 up, like [2, 10]"
            )
        return self

    def always_tried(self) -> dict[str, list[Any]]:
        """Return what every candidate that takes it is tried with, whatever its settings."""
        fewest, most = self.clusters
        return {"n_clusters": list(range(fewest, most + 1))}


def arrays(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return what the metrics take, each with one entry for a row."""
    known, clusters = (pd.factorize(labels(x))[0] for x in (target, predictions["prediction"]))
    widths = predictions.reindex(columns=[WIDTH]).to_numpy(dtype=float)[:, 0]
    places = predictions[[name for name in predictions if str(name).startswith(PLACE)]]
    return clusters, places.to_numpy(dtype=float), widths, known


def _silhouette(clusters: np.ndarray, places: np.ndarray, widths: np.ndarray, *_: Any) -> float:
    """Return the mean over the rows (Rousseeuw, 1987): 1 is far apart, 0 is no clusters."""
    return float(np.nanmean(widths)) if np.isfinite(widths).any() else np.nan


def _centres(clusters: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cluster of each row as a number, the centres, and the sizes."""
    _, codes = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(codes)
    centres = np.zeros((len(sizes), places.shape[1]))
    np.add.at(centres, codes, places)
    return codes, centres / sizes[:, None], sizes


def _davies_bouldin(clusters: np.ndarray, places: np.ndarray, *_: Any) -> float:
    """Return how wide clusters are for their distance to the next (Davies and Bouldin, 1979)."""
    codes, centres, sizes = _centres(clusters, places)
    spread = np.bincount(codes, np.linalg.norm(places - centres[codes], axis=1)) / sizes
    apart = np.linalg.norm(centres[:, None] - centres, axis=2)
    np.fill_diagonal(apart, np.nan)
    return float(np.mean(np.nanmax((spread[:, None] + spread) / apart, axis=1)))


def _calinski_harabasz(clusters: np.ndarray, places: np.ndarray, *_: Any) -> float:
    """Return the variance between clusters over that within (Calinski and Harabasz, 1974)."""
    codes, centres, sizes = _centres(clusters, places)
    between = np.sum(sizes * np.sum((centres - places.mean(axis=0)) ** 2, axis=1))
    within = np.sum((places - centres[codes]) ** 2)
    return float(between / within * (len(codes) - len(sizes)) / (len(sizes) - 1))


def _ari(clusters: np.ndarray, places: np.ndarray, widths: np.ndarray, known: np.ndarray) -> float:
    """Return the agreement with the known labels, corrected for chance (Hubert, Arabie, 1985)."""
    from sklearn.metrics import adjusted_rand_score  # slow to load, and only this needs it

    there = known >= 0
    return float(adjusted_rand_score(known[there], clusters[there])) if there.any() else np.nan


METRICS = metric_table(
    arrays,
    ("silhouette", _silhouette, HIGHER, "Silhouette"),
    ("davies_bouldin", _davies_bouldin, LOWER, "Davies-Bouldin"),
    ("calinski_harabasz", _calinski_harabasz, HIGHER, "Calinski-Harabasz"),
    ("ari", _ari, HIGHER, "Adjusted Rand index with the known labels", False),
)
METRICS["stability"] = STABILITY
# Signs of the search, which no single model shows: they choose together with the metric.
METRICS["weakest"] = replace(STABILITY, title="Stability of the weakest cluster", selects=False)
METRICS["density_gain"] = replace(STABILITY, title="Gain in log density", selects=False)


def suggest_problem(rows: int, target: pd.Series) -> dict[str, tuple[Any, str]]:
    """Return the number of clusters and the metric for new data, each with its reason."""
    most = max(2, min(MOST_TRIED, rows // ROWS_IN_CLUSTER))
    return {
        "clusters": ([2, most], "one number twice, if you know it"),
        "metric": ("silhouette", ""),
    }


def check_target(target: pd.Series, problem: Problem, folds: int) -> str:
    """Check that there are rows enough for so many clusters, and say which labels are known."""
    most = problem.clusters[1]
    rows = len(target) - -(-len(target) // folds)  # without the largest fold
    if most >= rows:
        raise UserError(
            f"[problem] clusters goes up to {most:,}, but [search] folds = {folds} leaves "
            f"{rows:,} of the {len(target):,} rows for training; lower clusters."
        )
    if not problem.target:
        return ""
    known = labels(target).dropna()
    return f'; "{problem.target}" ({known.nunique():,} labels) only scores them'
