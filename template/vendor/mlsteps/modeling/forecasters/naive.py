"""The baselines: what a forecast must be better than to be worth its trouble."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator

from ...preparation.panel import Panel


class SeasonalNaive(BaseEstimator):
    """Repeats the last season; without a season, the last value.

    Parameters
    ----------
    season : int
        Periods in a season, 1 if there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from mlsteps.preparation import Panel
    >>> panel = Panel(["a"], 0, np.array([[1.0, 5.0, 2.0, 6.0]]), np.zeros((1, 4, 0)))
    >>> SeasonalNaive(season=2).fit(panel).forecast(panel, horizon=3)
    array([[2., 6., 2.]])
    """

    def __init__(self, season: int = 1) -> None:
        self.season = season

    def fit(self, panel: Panel) -> Self:
        """Do nothing: there are no parameters."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Return the forecasts, (series, horizon)."""
        return repeat_season(panel.history, self.season, horizon)


class Drift(BaseEstimator):
    """Continues the straight line from the first to the last value.

    Examples
    --------
    >>> import numpy as np
    >>> from mlsteps.preparation import Panel
    >>> panel = Panel(["a"], 0, np.array([[1.0, 5.0, 2.0, 7.0]]), np.zeros((1, 4, 0)))
    >>> Drift().fit(panel).forecast(panel, horizon=2)
    array([[ 9., 11.]])
    """

    def fit(self, panel: Panel) -> Self:
        """Do nothing: there are no parameters."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Return the forecasts, (series, horizon)."""
        lengths, last = panel.lengths(), panel.history[:, -1]
        first = panel.history[np.arange(len(lengths)), panel.periods - lengths]
        slope = (last - first) / np.maximum(lengths - 1, 1)
        return last[:, None] + slope[:, None] * np.arange(1, horizon + 1)


def baselines(season: int) -> dict[str, BaseEstimator]:
    """Return the forecasters that every other is held against, by name."""
    return {"seasonal_naive": SeasonalNaive(season), "drift": Drift()}


def repeat_season(values: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """Return the last season over and over; a series shorter than one repeats its last value."""
    last = values[:, -min(season, values.shape[1]) :]
    last = np.where(np.isnan(last), values[:, -1:], last)
    return last[:, np.arange(horizon) % last.shape[1]]


def usual_change(values: np.ndarray, season: int) -> np.ndarray:
    """Return the mean absolute change from season to season of each series, 1 if there is none.

    It scales the errors of MASE (Hyndman and Koehler, 2006).
    """
    changes = np.abs(values[:, season:] - values[:, :-season])
    counts = (~np.isnan(changes)).sum(axis=1)
    means = np.nansum(changes, axis=1) / np.maximum(counts, 1)
    return np.where(means > 0, means, 1.0)
