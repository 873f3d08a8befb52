"""One way to ask all detectors: for how strange a row is, in a unit that can be compared."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data


class Detector(OutlierMixin, BaseEstimator):
    """Wraps a detector of scikit-learn so that its scores have the same direction and unit.

    The scores of one-class SVMs grow with the rows that were learnt from, and each method has a
    unit of its own. So that a threshold that was learnt from models of parts of the rows holds for
    the model of all of them, 0 is the median of what was learnt from and 1 is one interquartile
    range above it.

    Parameters
    ----------
    method
        The detector; it has to be one that can be asked about new rows (LOF: ``novelty=True``).

    Attributes
    ----------
    middle_, unit_ : float
        The median and the interquartile range of the method's own scores.
    """

    def __init__(self, method: BaseEstimator) -> None:
        self.method = method

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Learn what rows are like."""
        X = validate_data(self, X)
        self.method_ = clone(self.method).fit(X)
        low, self.middle_, high = map(
            float, np.quantile(-self.method_.score_samples(X), [0.25, 0.5, 0.75])
        )
        self.unit_ = high - low if high > low else 1.0
        return self

    def score(self, X: np.ndarray) -> np.ndarray:
        """Return how strange each row is; higher is stranger."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        strange: np.ndarray = (-self.method_.score_samples(X) - self.middle_) / self.unit_
        return strange
