"""What a metric is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One way to judge predictions.

    Attributes
    ----------
    function
        Takes what `arrays` of the problem type returns, and returns one number. Works on any
        subset of the rows, so that it can be bootstrapped.
    higher_is_better
        Whether a larger value is a better one.
    title
        The name that the report prints.
    selects
        Whether it may stand as ``metric`` in project.toml: only what can be computed in
        cross-validation, before intervals exist.
    """

    function: Callable[..., float]
    higher_is_better: bool
    title: str
    selects: bool = True

    def gain(self, value: float, other: float) -> float:
        """Return by how much `value` is better than `other`; negative when it is worse."""
        return value - other if self.higher_is_better else other - value
