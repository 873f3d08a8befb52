"""One interface for all clusterers, and one for all detectors of anomalies."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin, OutlierMixin, clone
from sklearn.cluster import HDBSCAN, Birch
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils.validation import check_is_fitted, validate_data

LEAST_SHARE = 0.02  # of the rows in a cluster; smaller ones are outliers, not clusters
MOST_OUTLIERS = 0.1  # of the rows
MOST_CORES = 5000  # rows that are stored of clusters without a centre


class Clusterer(ClusterMixin, BaseEstimator):
    """Wraps a clusterer of scikit-learn so that every one of them can predict new rows.

    k-means, mini-batch, Gaussian mixture and Birch predict themselves. With hierarchical clustering
    a row belongs to the nearest centre; with HDBSCAN to the cluster of the nearest row that is sure
    of its own, so that no row is left without one.

    Parameters
    ----------
    method : BaseEstimator
        The clusterer.
    n_clusters : int or None
        How many clusters it shall find; None for those that find out themselves.

    Attributes
    ----------
    classes_ : list of str
        The clusters by size, "1" is the largest.
    centres_ : ndarray of (clusters, numbers) or None
        What distance is measured to. None with HDBSCAN, whose clusters may have any shape: then
        it is measured to the nearest row that is sure of its cluster.
    reach_ : ndarray of (clusters,)
        The largest distance of a row that the cluster was fitted to.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.cluster import AgglomerativeClustering
    >>> rows = np.array([[0.0], [0.1], [0.2], [9.0], [9.1]])
    >>> clusterer = Clusterer(AgglomerativeClustering(), n_clusters=2).fit(rows)
    >>> clusterer.predict(np.array([[1.0], [8.0]])).tolist()
    ['1', '2']
    """

    def __init__(self, method: BaseEstimator, n_clusters: int | None = 3) -> None:
        self.method = method
        self.n_clusters = n_clusters

    def __getstate__(self) -> dict[str, object]:
        """Store what predicts: the clusterer as it was before its fit is not needed after it."""
        fitted = hasattr(self, "classes_")
        return {**super().__getstate__(), "method": None if fitted else self.method}

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Find the clusters; a ValueError if there are fewer than two, or many with hardly a row.

        Clusters of hardly any rows are outliers: they are set aside, and the others are clustered.
        """
        X = validate_data(self, X)
        rows = len(X)
        method, found = self._find(X)
        while True:
            there, sizes = np.unique(found[found >= 0], return_counts=True)
            if len(there) < 2:
                raise ValueError(f"finds {len(there)} clusters, at least two are needed")
            small = np.isin(found, there[sizes < max(2, LEAST_SHARE * rows)])
            if not small.any():
                break
            X = X[~small]
            if len(X) < (1 - MOST_OUTLIERS) * rows:
                raise ValueError(f"makes clusters of {sizes.min()} of {rows:,} rows")
            method, found = self._find(X)
        self.order_ = there[np.argsort(-sizes, kind="stable")]
        self.classes_ = [str(k + 1) for k in range(len(there))]
        places = self._place(found)
        centres = np.array([X[places == k].mean(axis=0) for k in range(len(there))])
        self.method_: BaseEstimator | None = None
        self.centres_: np.ndarray | None = centres
        self.anchors_, self.owners_ = centres, np.arange(len(there))
        if isinstance(method, HDBSCAN):
            sure = np.flatnonzero((places >= 0) & (method.probabilities_ > 0.5))
            sure = sure[:: -(-len(sure) // MOST_CORES)]
            self.centres_, self.anchors_, self.owners_ = None, X[sure], places[sure]
        elif isinstance(method, Birch):  # what its tree is for, without the tree
            self.anchors_ = method.subcluster_centers_
            self.owners_ = self._place(method.subcluster_labels_)
        elif hasattr(method, "predict"):
            self.method_ = method
        own, distances = self.assign(X[places >= 0])
        self.reach_ = np.array([distances[own == k].max(initial=0) for k in range(len(there))])
        return self

    def _find(self, X: np.ndarray) -> tuple[BaseEstimator, np.ndarray]:
        """Return the fitted method, and what it calls the cluster of each row."""
        method = clone(self.method)
        if self.n_clusters is not None:
            number = {"n_clusters", "n_components"} & method.get_params().keys()
            method.set_params(**dict.fromkeys(number, self.n_clusters))
        return method, method.fit_predict(X)

    def assign(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the place of each row's cluster in `classes_`, and the distance to it."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        if self.method_ is None:
            nearest, distances = pairwise_distances_argmin_min(X, self.anchors_)
            places = self.owners_[nearest]
        else:
            places = self._place(self.method_.predict(X))
        if self.centres_ is not None:
            distances = np.linalg.norm(X - self.centres_[places], axis=1)
        return places, distances

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the name of each row's cluster."""
        return np.array(self.classes_, dtype=object)[self.assign(X)[0]]

    def _place(self, found: np.ndarray) -> np.ndarray:
        """Return the place in `classes_` of what the method calls a cluster; -1 for none."""
        places = np.full(len(found), -1)
        for k, name in enumerate(self.order_):
            places[found == name] = k
        return places


class Detector(OutlierMixin, BaseEstimator):
    """Wraps a detector of scikit-learn so that its scores have the same direction and unit.

    The scores of one-class SVMs grow with the number of training rows, and each method has a unit
    of its own. So that a threshold from models of parts of the rows holds for the model of all of
    them, 0 is the median of the training rows and 1 is one interquartile range above it.

    Parameters
    ----------
    method : BaseEstimator
        The detector; it has to score new rows (LOF: ``novelty=True``).

    Attributes
    ----------
    middle_, unit_ : float
        The median and the interquartile range of the method's own scores.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.covariance import EllipticEnvelope
    >>> rows = np.random.default_rng(0).normal(size=(100, 2))
    >>> detector = Detector(EllipticEnvelope(random_state=0)).fit(rows)
    >>> usual, strange = detector.score(np.array([[0.0, 0.0], [9.0, 9.0]]))
    >>> bool(usual < 0 < 10 < strange)
    True
    """

    def __init__(self, method: BaseEstimator) -> None:
        self.method = method

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Fit the detector, and scale its scores."""
        X = validate_data(self, X)
        self.method_ = clone(self.method).fit(X)
        quartiles = np.quantile(-self.method_.score_samples(X), [0.25, 0.5, 0.75])
        low, self.middle_, high = map(float, quartiles)
        self.unit_ = high - low if high > low else 1.0
        return self

    def score(self, X: np.ndarray) -> np.ndarray:
        """Return how strange each row is; higher is stranger."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        strange: np.ndarray = (-self.method_.score_samples(X) - self.middle_) / self.unit_
        return strange
