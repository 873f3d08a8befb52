"""Which clustering is taken: signs of several kinds, and how sure the number of clusters is."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics.cluster import contingency_matrix

from ..problem.metric import Metric

if TYPE_CHECKING:
    from .search import SearchResult, Trial

MOST_ROWS = 3000  # of each fold, that clusters are described by, and that are held out
MOST_COLUMNS, KEPT_VARIANCE = 10, 0.9  # of more columns, the components that keep so much
LENT_ROWS = 3  # of each dimension: what a cluster's covariance takes from that of all clusters
NOISE = 0.05  # of the rows that belong to no cluster
LEAST_VARIANCE = 1e-6  # far rows make all others look alike; but none shrinks to a point
RESAMPLES = 200
WORDS = {"sure": 0.95, "likely": 0.7, "a guess": 0.0}  # by the share of them


def cluster_stabilities(groupings: Sequence[pd.Series]) -> list[float]:
    """Return how much of the weakest cluster is found again, for each two groupings of the rows.

    Of each cluster of the one, the Jaccard similarity with the most similar one of the other
    (Hennig, 2007); below 0.5 it is dissolved.
    """
    return [float(jaccard(one, other).min()) for one, other in permutations(groupings, 2)]


def jaccard(one: pd.Series, other: pd.Series) -> np.ndarray:
    """Return of each cluster of `one` the similarity with the most similar cluster of `other`."""
    both = contingency_matrix(one, other)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    similar: np.ndarray = (both / either).max(axis=1)
    return similar


def gains_in_density(
    fitted: np.ndarray, clusters: np.ndarray, held_out: np.ndarray, assigned: np.ndarray
) -> np.ndarray:
    """Return how much better held-out rows are described by their cluster than by one for all.

    Each cluster is a Gaussian with the mean and the covariance of the rows fitted to, weighted by
    its share; the gain is the difference of the log densities. A row far from its cluster, or with
    none, counts as noise (Fraley and Raftery, 2002), so that a few do not decide. Without a column
    of numbers the gains are empty: labels have no density.
    """
    numeric = [k for k, values in enumerate(fitted[:MOST_ROWS].T) if len(np.unique(values)) > 2]
    if not numeric:
        return np.empty(0)
    generator = np.random.default_rng(0)  # the same rows for each trial
    rows, others = (generator.permutation(len(x))[:MOST_ROWS] for x in (fitted, held_out))
    inside, outside = fitted[rows][:, numeric], held_out[others][:, numeric]
    if len(numeric) > MOST_COLUMNS:
        components = PCA(random_state=0).fit(inside)
        kept = np.searchsorted(components.explained_variance_ratio_.cumsum(), KEPT_VARIANCE) + 1
        inside, outside = (components.transform(part)[:, :kept] for part in (inside, outside))
    known, own = clusters[rows], assigned[others]
    parts = {name: inside[known == name] for name in np.unique(known[pd.notna(known)])}
    spread = sum(len(part) * part.var(axis=0) for part in parts.values()) / len(inside)
    lent = LENT_ROWS * inside.shape[1]
    one = _log_normal(outside, inside.mean(axis=0), np.cov(inside, rowvar=False, ddof=0))
    best = np.full(len(outside), -np.inf)
    for name, part in parts.items():
        covariance = np.atleast_2d(np.cov(part, rowvar=False, ddof=0)) * len(part)
        covariance = (covariance + lent * np.diag(spread)) / (len(part) + lent)
        mine = own == name
        best[mine] = _log_normal(outside[mine], part.mean(axis=0), covariance)
        best[mine] += np.log(len(part) / len(inside))
    gains: np.ndarray = np.logaddexp(np.log(1 - NOISE) + best, np.log(NOISE) + one) - one
    return gains


def _log_normal(rows: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the log density of a Gaussian."""
    size = len(mean)
    root = np.linalg.cholesky(np.atleast_2d(covariance) + LEAST_VARIANCE * np.eye(size))
    scaled = np.linalg.solve(root, (rows - mean).T)
    logs = np.log(np.diag(root)).sum() + size / 2 * np.log(2 * np.pi)
    density: np.ndarray = -0.5 * (scaled**2).sum(axis=0) - logs
    return density


def choose(
    result: "SearchResult", metric: Metric, seed: int
) -> tuple["SearchResult", dict[str, Any]]:
    """Return the trials in a new order, the chosen one first, and what the choice rests on.

    Of the stable trials those are equal that describe held-out rows as well as the best, within one
    standard error of the difference (Breiman et al., 1984); of these the metric chooses. The
    same is done with rows that are drawn again: how often the same number of clusters comes out
    says how sure it is.
    """
    eligible = [trial for trial in result.trials if trial.eligible] or result.trials
    trials = [trial for trial in eligible if "gains" in trial.evidence]
    if not trials:
        said = f"{metric.title} alone has chosen: there is no column of numbers to describe"
        return result, {"said": said, "numbers": []}
    gains = np.vstack([trial.evidence["gains"] for trial in trials])
    gains = np.vstack([np.zeros_like(gains[:1]), gains])  # first of all, one cluster
    errors = _standard_errors(gains)
    merits = np.array([np.inf, *(metric.gain(trial.mean, 0.0) for trial in trials)])

    def order(means: np.ndarray) -> np.ndarray:
        best = means.argmax()
        equal = means >= means[best] - errors[best]
        return np.lexsort((-np.where(equal, merits, means), ~equal))

    numbers = np.array([1, *(trial.evidence["clusters"] for trial in trials)])
    count = gains.shape[1]
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    found = np.array([numbers[order(means)[0]] for means in draws @ gains.T / count])
    ordered = order(gains.mean(axis=1))
    none, ranked = ordered[0] == 0, [trials[k - 1] for k in ordered if k]
    ranked[0].predictions = result.predictions  # as empty as those of each trial
    chosen = {id(trial) for trial in ranked}
    others = [trial for trial in result.trials if id(trial) not in chosen]
    shares = {int(n): float(np.mean(found == n)) for n in dict.fromkeys(numbers[ordered])}
    best_of: dict[int, Trial] = {}
    for trial in ranked:
        best_of.setdefault(trial.evidence["clusters"], trial)
    choice = {
        "clusters": 1 if none else ranked[0].evidence["clusters"],
        "sure": shares[int(numbers[ordered[0]])],
        "numbers": [
            {"clusters": n, "model": t.candidate, "score": t.mean, "share of draws": shares[n]}
            | {name: values["value"] for name, values in t.measured.items()}
            for n, t in best_of.items()
        ],
    }
    return replace(result, trials=[*ranked, *others]), choice | {"said": _say(choice, shares)}


def _standard_errors(gains: np.ndarray) -> np.ndarray:
    """Return the standard error of the difference of the means of each two rows."""
    covariance = np.atleast_2d(np.cov(gains, ddof=0))
    variances = np.diag(covariance)
    squares = variances[:, None] + variances - 2 * covariance
    errors: np.ndarray = np.sqrt(np.maximum(squares, 0) / gains.shape[1])
    return errors


def _say(choice: dict[str, Any], shares: dict[int, float]) -> str:
    """Return the choice as a sentence."""
    sure, number = choice["sure"], choice["clusters"]
    drawn = f"in {sure:.0%} of {RESAMPLES} draws of the rows"
    if number == 1:
        return f"There are no clusters: one describes the rows as well as several, {drawn}"
    others = [line for line in choice["numbers"] if line["clusters"] != number]
    if not others:
        return f"{number} clusters: no other number was tried, or none was stable"
    word = next(word for word, least in WORDS.items() if sure >= least)
    next_best = max(others, key=lambda line: shares[line["clusters"]])
    second, share = next_best["clusters"], shares[next_best["clusters"]]
    return (
        f"{number} clusters, {word}: so many come out {drawn}; next best {second} "
        f"({next_best['model']}), in {share:.0%}"
    )
