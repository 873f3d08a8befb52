"""Detectors of anomalies that scikit-learn does not have: they learn from rows without labels."""

import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

LARGEST_SHARE = 0.2  # of the rows, as neighbours
MOST_REFERENCES = 10_000  # training rows that ranks are counted among
PART_ROWS = 10_000  # that are scored at a time: each has dozens of neighbours


class Neighbours(OutlierMixin, BaseEstimator):
    """Scores rows by their neighbours: how far they are, and how densely they lie.

    For each number of neighbours there are two scores: their mean distance, and the local outlier
    factor (Breunig et al., 2000), which is how much more densely they lie than the row does.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of neighbours; those that are more than a fifth of the rows are lowered to it. Small
        ones see what is strange among its neighbours, large ones a handful of rows that are alike.
    most_rows : int
        A sample of more training rows is looked for neighbours in: so that time and memory stay
        bounded.
    random_state : int or None
        For the sample.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.arange(20.0)[:, None]
    >>> near, far = Neighbours([3]).fit(rows).score_samples(np.array([[9.5], [40.0]]))
    >>> bool((near > far).all())
    True
    """

    def __init__(
        self,
        sizes: Sequence[int] = (5, 10, 20, 50, 100),
        most_rows: int = 5_000,
        random_state: int | None = None,
    ) -> None:
        self.sizes = sizes
        self.most_rows = most_rows
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Keep the rows, or a sample, and how densely each lies."""
        X = validate_data(self, X, ensure_min_samples=2)
        if len(X) > self.most_rows:
            random = check_random_state(self.random_state)
            warnings.warn(
                f"neighbours are looked for among {self.most_rows:,} of {len(X):,} rows, drawn "
                "at random",
                stacklevel=2,
            )
            X = X[random.choice(len(X), self.most_rows, replace=False)]
        most = max(int(LARGEST_SHARE * len(X)), 1)
        self.sizes_ = sorted({min(size, most) for size in self.sizes})
        self.search_ = NearestNeighbors(n_neighbors=self.sizes_[-1]).fit(X)
        distances, places = self.search_.kneighbors()  # a row is no neighbour of its own
        self.reaches_ = distances[:, [size - 1 for size in self.sizes_]]
        self.densities_ = np.ones_like(self.reaches_)
        self.densities_ = self._densities(distances, places)
        self.training_scores_ = -self._strange(distances, places)
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Return (rows, scores): higher is more normal, as scikit-learn has it."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return -self._strange(*self.search_.kneighbors(X))

    def _densities(self, distances: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return of each row and size the local reachability density."""
        found = [
            np.maximum(distances[:, :size], self.reaches_[places[:, :size], k]).mean(axis=1)
            for k, size in enumerate(self.sizes_)
        ]
        return 1 / (np.column_stack(found) + 1e-10)  # as scikit-learn, where rows are the same

    def _strange(self, distances: np.ndarray, places: np.ndarray) -> np.ndarray:
        own, parts = self._densities(distances, places), []
        for k, size in enumerate(self.sizes_):
            around = self.densities_[places[:, :size], k].mean(axis=1)
            parts += [distances[:, :size].mean(axis=1), around / own[:, k]]
        return np.column_stack(parts)


class MeanOfRanks(OutlierMixin, BaseEstimator):
    """The mean of what several unlike detectors say, each by its ranks.

    Without labels nothing tells which detector is right (Han et al., ADBench, 2022), so none is
    chosen. Scores have units of their own, ranks have none (Aggarwal and Sathe, 2017): what counts
    is the share of training rows that are at least as strange, as the logarithm, so that one in a
    thousand is further from one in a hundred than 50 % are from 60 %. Beyond the strangest training
    row the score goes on in a line, so that of far rows the further is the stranger.

    Parameters
    ----------
    detectors : sequence of BaseEstimator
        Each has ``score_samples``, which may return several scores of a row.
    random_state : int or None
        Given to each that takes it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> rows = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = MeanOfRanks([Neighbours(), IsolationForest()], random_state=0).fit(rows)
    >>> usual, far, further = detector.score_samples(np.array([[0, 0], [6, 6], [60, 60]]))
    >>> bool(usual > far > further)
    True
    """

    def __init__(self, detectors: Sequence[BaseEstimator], random_state: int | None = None) -> None:
        self.detectors = detectors
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Fit the detectors, and keep the scores of training rows, or of a sample of them."""
        X = validate_data(self, X, ensure_min_samples=2)
        random, sample = check_random_state(self.random_state), X
        if len(X) > MOST_REFERENCES:
            sample = X[random.choice(len(X), MOST_REFERENCES, replace=False)]
        self.detectors_, self.known_ = [], []
        for unfitted in self.detectors:
            detector = clone(unfitted)
            if "random_state" in detector.get_params(deep=False):
                detector.set_params(random_state=self.random_state)
            detector.fit(X)
            known = getattr(detector, "training_scores_", None)
            known = detector.score_samples(sample) if known is None else known
            self.detectors_.append(detector)
            self.known_ += [np.sort(-scores) for scores in known.reshape(len(known), -1).T]
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Return the score of each row: higher is more normal, as scikit-learn has it."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        parts = [self._strange(X[k : k + PART_ROWS]) for k in range(0, len(X), PART_ROWS)]
        return -np.concatenate(parts)

    def _strange(self, X: np.ndarray) -> np.ndarray:
        found = [detector.score_samples(X) for detector in self.detectors_]
        scores = np.hstack([-each.reshape(len(X), -1) for each in found]).T
        return np.mean([_rank(*pair) for pair in zip(scores, self.known_, strict=True)], axis=0)


def _rank(scores: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return how rare it is among sorted scores to be as strange: minus the log of the share."""
    places = [np.searchsorted(known, scores, side) for side in ("left", "right")]
    ranks = -np.log1p(-np.minimum(np.mean(places, axis=0), len(known) - 0.5) / len(known))
    width = known[-1] - np.median(known)
    beyond = np.maximum(scores - known[-1], 0) / (width if width > 0 else 1.0)
    return ranks + beyond
