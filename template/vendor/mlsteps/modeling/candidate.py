"""What a candidate is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from ..problem.columns import Column
from ..problem.definition import Definition

BuildEncoder = Callable[[list[Column], Definition], ColumnTransformer]


@dataclass(frozen=True)
class Candidate:
    """An estimator that is tried.

    Attributes
    ----------
    estimator
        With its default settings, which are always tried first.
    space
        For each setting, the values that a search may take.
    encoder
        Returns the unfitted transformer from features to the numbers that the estimator is given.
        Candidates with the same function share what it has encoded. None for a forecaster.
    most_rows
        With more training rows it is left out, because it takes too long.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> Candidate(Ridge(), {"alpha": [0.1, 1.0]}).space
    {'alpha': [0.1, 1.0]}
    """

    estimator: BaseEstimator
    space: dict[str, list[Any]] = field(default_factory=dict)
    encoder: BuildEncoder | None = None
    most_rows: int | None = None


Candidates = dict[str, Candidate]
