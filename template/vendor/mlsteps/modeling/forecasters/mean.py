"""The mean of several forecasters."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from ...preparation.panel import Panel
from .local import fit_again


class Mean(BaseEstimator):
    """Forecasts the mean of what its members forecast, each of which counts the same."""

    def __init__(self, members: list[Any]) -> None:
        self.members = members

    def fit(self, panel: Panel, previous: Self | None = None) -> Self:
        """Fit the members, see `fit_again`."""
        before = previous.members if previous is not None else [None] * len(self.members)
        for member, fitted in zip(self.members, before, strict=True):
            fit_again(member, panel, fitted)
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Return the forecasts, (series, horizon)."""
        forecasts = [member.forecast(panel, horizon) for member in self.members]
        return np.asarray(np.mean(forecasts, axis=0))
