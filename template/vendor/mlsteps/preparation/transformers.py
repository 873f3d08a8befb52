"""The transformers that scikit-learn does not have."""

import warnings
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

LEAST_ALIKE = 3  # columns with the same limits; two may have them by chance


class Clipper(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Pull the numbers beyond a share at each end in to it (winsorizing).

    Parameters
    ----------
    share
        The share of training rows beyond each limit, at least 0 and below 0.5.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"age": [18.0, 30.0, 42.0, 55.0, 999.0]})
    >>> Clipper(share=0.25).fit_transform(rows).ravel()
    array([30., 30., 42., 55., 55.])
    """

    def __init__(self, share: float = 0.01) -> None:
        self.share = share

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Fit the limits of each column; missing values do not count."""
        numbers = validate_data(self, X, dtype="numeric", ensure_all_finite="allow-nan")
        quantiles = [self.share, 1 - self.share]
        with np.errstate(all="ignore"):
            self.low_, self.high_ = np.nanquantile(numbers, quantiles, axis=0)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return `X` within the limits; missing values stay missing."""
        check_is_fitted(self)
        numbers = validate_data(
            self, X, dtype="numeric", ensure_all_finite="allow-nan", reset=False
        )
        return np.clip(numbers, self.low_, self.high_)


class SharedUnitScaler(StandardScaler):
    """Bring columns to mean 0 and deviation 1, but those of one unit by one scale.

    Grey values, or answers from 1 to 10, have the same limits: if more than half of the columns
    have the same least and the same greatest value, and more values than these, they and those
    within these limits are divided by one number, so that what varies little still does. A warning
    says so.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> grey = np.array([[0, 3, 9, 1], [9, 0, 5, 0], [4, 9, 0, 1], [2, 5, 1, 0]])
    >>> with warnings.catch_warnings(action="ignore"):
    ...     scaler = SharedUnitScaler().fit(grey)
    >>> len(set(scaler.scale_))
    1
    """

    def fit(self, X: np.ndarray, y: object = None, sample_weight: None = None) -> Self:
        """Fit means and scales; a column with missing values is scaled by itself."""
        super().fit(X)
        numbers = np.asarray(X, dtype="float64")
        limits = np.column_stack([numbers.min(axis=0), numbers.max(axis=0)])
        between = ((numbers > limits[:, 0]) & (numbers < limits[:, 1])).any(axis=0)
        found, counts = np.unique(limits[between], axis=0, return_counts=True)
        most = counts.max(initial=0)
        if most < LEAST_ALIKE or most <= len(limits) / 2:
            return self
        low, high = found[counts.argmax()]
        alike = (limits[:, 0] >= low) & (limits[:, 1] <= high)
        self.scale_[alike] = np.sqrt(self.var_[alike].mean())
        warnings.warn(
            f"{alike.sum()} of {len(limits)} columns of numbers have one unit, as {most} reach "
            f"from {low:g} to {high:g}: they are not scaled apart",
            stacklevel=2,
        )
        return self


class DateParts(TransformerMixin, BaseEstimator):
    """Turn each date into numbers: years, month, day, weekday, hour.

    ``years`` counts years with their fraction, for trends; the other parts repeat, for seasons.
    One of these others that was the same in all training rows is left out.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"day": pd.to_datetime(["2026-01-31", "2026-03-31"])})
    >>> DateParts().fit(rows).get_feature_names_out().tolist()
    ['day_years', 'day_month', 'day_weekday']
    """

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Find which parts vary."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        parts = self._parts(X)
        self.names_ = [n for n in parts if n.endswith("_years") or parts[n].nunique() > 1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the parts as float64, missing where the date is."""
        check_is_fitted(self)
        return self._parts(X)[self.names_].to_numpy(dtype="float64")

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Name the columns that `transform` returns."""
        return np.asarray(self.names_, dtype=object)

    @staticmethod
    def _parts(X: pd.DataFrame) -> pd.DataFrame:
        parts = {}
        for name, dates in X.items():
            when = dates.dt
            parts[f"{name}_years"] = when.year + (when.day_of_year - 1) / 365.25
            parts[f"{name}_month"] = when.month
            parts[f"{name}_day"] = when.day
            parts[f"{name}_weekday"] = when.day_of_week
            parts[f"{name}_hour"] = when.hour
        return pd.DataFrame(parts, index=X.index)


class TextTopics(TransformerMixin, BaseEstimator):
    """Turn a column of text into a few numbers by latent semantic analysis.

    Deerwester et al. (1990): TF-IDF of the words, then a truncated singular value decomposition.

    Parameters
    ----------
    topics
        How many numbers, fewer if the texts have fewer different words.
    words
        How many different words count, the most frequent first.
    seed
        For the randomized decomposition.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"note": ["red wine", "white wine", "dark beer"]})
    >>> TextTopics(topics=2).fit_transform(rows).shape
    (3, 2)
    """

    def __init__(self, topics: int = 20, words: int = 5000, seed: int = 0) -> None:
        self.topics = topics
        self.words = words
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Fit the words and the topics of the one column of `X`."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        texts = X.iloc[:, 0].fillna("")
        self.vectorizer_ = TfidfVectorizer(max_features=self.words, sublinear_tf=True)
        self.svd_, self.topics_ = None, 1  # no words at all: one column that says nothing
        if texts.str.contains(r"\w\w", regex=True).any():
            words = self.vectorizer_.fit_transform(texts)
            self.topics_ = min(self.topics, *words.shape)
            self.svd_ = TruncatedSVD(self.topics_, random_state=self.seed).fit(words)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return (n, topics) numbers; a missing text has none of any topic."""
        check_is_fitted(self)
        if self.svd_ is None:
            return np.zeros((len(X), 1))
        return self.svd_.transform(self.vectorizer_.transform(X.iloc[:, 0].fillna("")))

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Name the columns that `transform` returns."""
        names = [f"{self.feature_names_in_[0]}_topic{k}" for k in range(self.topics_)]
        return np.asarray(names, dtype=object)
