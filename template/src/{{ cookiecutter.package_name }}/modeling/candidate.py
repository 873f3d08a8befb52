"""What a candidate is."""

from dataclasses import dataclass, field
from typing import Any

from sklearn.base import BaseEstimator

from ..problem.settings import Labels


@dataclass(frozen=True)
class Candidate:
    """An estimator that is tried.

    Attributes
    ----------
    estimator
        With its default settings, which are always tried first.
    space
        For each setting, the values that a search may take.
    most_rows
        With more training rows it is left out, because it takes too long.
    labels
        How it is given the labels of categories, see `build_encoder`.
    """

    estimator: BaseEstimator
    space: dict[str, list[Any]] = field(default_factory=dict)
    most_rows: int | None = None
    labels: Labels = "columns"
