"""A global forecaster: one regression on the past of all series together."""

from dataclasses import replace
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from ...preparation.panel import Panel
from ...problem.calendar import Calendar
from .naive import repeat_season, usual_change

LEAST_LAGS, MOST_LAGS = 6, 24
CHANGES = 3  # newest changes from season to season
WAVES = 2  # of each cycle of the calendar
MOST_ROWS = 200_000  # to learn from, the newest


class Lags(BaseEstimator):
    """Forecasts from the lags of a series, with a regressor that all series have trained.

    Its target is by how much a series will differ from its last season, scaled by how much it
    usually does, so that large and small series count the same. Its features are the newest values,
    the changes from season to season, the calendar, and the columns that are known ahead. A season
    is forecast directly, each step from what was known at its origin, and the seasons after it from
    those before (Taieb et al., 2012, call this DIRMO).

    Parameters
    ----------
    regressor
        A regressor of scikit-learn's kind.
    season
        Periods in a season, 1 if there is none.
    horizon
        The most steps ahead.
    frequency
        That of the calendar, whose cycles are features.
    each_step
        Whether each step ahead has a regressor of its own; if not, the step is a feature of one.

    Attributes
    ----------
    regressors_ : list
        One for each step ahead, or one for all.
    """

    def __init__(
        self,
        regressor: RegressorMixin,
        season: int = 1,
        horizon: int = 1,
        frequency: str = "D",
        each_step: bool = True,
    ) -> None:
        self.regressor = regressor
        self.season = season
        self.horizon = horizon
        self.frequency = frequency
        self.each_step = each_step

    def fit(self, panel: Panel) -> Self:
        """Learn from every origin of every series.

        Raises
        ------
        ValueError
            If every series is too short.
        """
        features = LagFeatures(panel, self.season, self.horizon, self.frequency)
        steps = range(1, self._direct() + 1)
        least = _least(self.season)
        origins = np.arange(least, panel.periods - steps[-1] + 1)
        origins = origins[-max(1, MOST_ROWS // (len(panel.names) * len(steps))) :]
        begins = panel.periods - panel.lengths()
        usable = origins[None] >= begins[:, None] + least
        if not usable.any():
            needed = least + steps[-1]
            raise ValueError(f"no series has the {needed} periods that lags need")
        examples = []
        for step in steps:
            inputs, last = features.at(origins, step)
            targets = (panel.history[:, origins + step - 1] - last) / features.scale[:, None]
            examples.append((inputs[usable], targets[usable]))
        if not self.each_step:
            all_inputs, all_targets = zip(*examples, strict=True)
            examples = [(np.concatenate(all_inputs), np.concatenate(all_targets))]
        self.regressors_ = [clone(self.regressor).fit(*example) for example in examples]
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Return the forecasts, (series, horizon).

        A series that is too short for lags repeats its last season.
        """
        length, longer = panel.periods, panel
        plain = repeat_season(panel.history, self.season, horizon)
        short = panel.lengths() < _least(self.season)
        while longer.periods < length + horizon:
            features = LagFeatures(longer, self.season, self.horizon, self.frequency)
            forecasts = []
            # No further than wanted: beyond that, what is known ahead may not be there.
            for step in range(1, min(self._direct(), length + horizon - longer.periods) + 1):
                inputs, last = features.at(np.array([longer.periods]), step)
                regressor = self.regressors_[step - 1 if self.each_step else 0]
                change = regressor.predict(np.nan_to_num(inputs[:, 0]))
                forecasts.append(last[:, 0] + change * features.scale)
            longer = replace(longer, history=np.column_stack([longer.history, *forecasts]))
        forecast = longer.history[:, length : length + horizon]
        return np.where(short[:, None] | ~np.isfinite(forecast), plain, forecast)

    def _direct(self) -> int:
        """Return how many steps are forecast directly."""
        return min(self.horizon, max(min(self.season, MOST_LAGS), LEAST_LAGS))


class LagFeatures:
    """The features of a panel.

    Attributes
    ----------
    scale : (series,)
        How much each series usually changes from season to season.
    """

    def __init__(self, panel: Panel, season: int, horizon: int, frequency: str) -> None:
        self.scale = usual_change(panel.history, season)
        self._values = panel.history
        self._known = panel.known
        self._season = season
        self._lags = min(MOST_LAGS, max(season, LEAST_LAGS), _least(season))
        periods = panel.start + np.arange(panel.periods + horizon)
        turns = [
            2 * np.pi * wave * cycle
            for cycle in Calendar(frequency).cycles(periods).values()
            for wave in range(1, WAVES + 1)
        ]
        self._waves = [function(turn) for turn in turns for function in (np.sin, np.cos)]

    def at(self, origins: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the features `step` periods ahead, and the values a season before."""
        season, values, scale = self._season, self._values, self.scale[:, None]
        ahead = origins + step - 1
        before = origins - season + (step - 1) % season
        last = values[:, before]
        level = values[:, origins[:, None] - 1 - np.arange(season)].mean(axis=2)
        parts = [(last - level) / scale, np.broadcast_to(float(step), last.shape)]
        parts += [(values[:, origins - 1 - k] - level) / scale for k in range(self._lags)]
        for k in range(CHANGES):
            change = values[:, origins - 1 - k] - values[:, origins - 1 - k - season]
            parts.append(change / scale)
        parts += [np.broadcast_to(wave[ahead], last.shape) for wave in self._waves]
        for column in np.moveaxis(self._known, 2, 0):
            parts += [column[:, ahead], column[:, ahead] - column[:, before]]
        return np.stack(parts, axis=2), last


def _least(season: int) -> int:
    """Return how many periods are needed before an origin."""
    return season + max(CHANGES, min(LEAST_LAGS, season))
