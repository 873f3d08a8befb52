"""A global forecaster: one regression on the past of all series together."""

from collections.abc import Callable
from dataclasses import replace
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from ...preparation.panel import Panel
from ...problem.periods import Calendar
from .naive import repeat_season, usual_change

LEAST_LAGS, MOST_LAGS = 6, 24
CHANGES = 3  # newest changes from season to season
WAVES = 2  # of each cycle of the calendar
MOST_ROWS = 200_000  # to learn from, the newest

Features = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


class Lags(BaseEstimator):
    """Forecasts from the lags of a series, with a regressor that all series have trained.

    Its target is by how much a series will differ from its last season, scaled by how much it
    usually does, so that large and small series count the same. Its features are the newest values,
    the changes from season to season, the calendar, and the columns that are known ahead. A season
    is forecast directly, each step from what was known at its origin, and the seasons after it from
    those before (Taieb et al., 2012, call this DIRMO).

    Parameters
    ----------
    regressor : RegressorMixin
        A regressor of scikit-learn's kind.
    season : int
        Periods in a season, 1 if there is none.
    horizon : int
        The most steps ahead.
    frequency : str
        That of the calendar, whose cycles are features.
    each_step : bool
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
        features, scale = self._features(panel), self._scale(panel)
        steps, least = range(1, self._direct() + 1), self._least()
        origins = np.arange(least, panel.periods - steps[-1] + 1)
        origins = origins[-max(1, MOST_ROWS // (len(panel.names) * len(steps))) :]
        usable = origins >= (panel.periods - panel.lengths() + least)[:, None]
        if not usable.any():
            raise ValueError(f"no series has the {least + steps[-1]} periods that lags need")
        examples = []
        for step in steps:
            inputs, last = features(origins, step)
            targets = (panel.history[:, origins + step - 1] - last) / scale
            examples.append((inputs[usable], targets[usable]))
        if not self.each_step:
            all_inputs, all_targets = zip(*examples, strict=True)
            examples = [(np.concatenate(all_inputs), np.concatenate(all_targets))]
        self.regressors_ = [clone(self.regressor).fit(*example) for example in examples]
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Return the forecasts, (series, horizon); a series too short repeats its last season."""
        end, longer = panel.periods + horizon, panel
        while longer.periods < end:
            features, forecasts = self._features(longer), []
            # No further than wanted: beyond that, what is known ahead may not be there.
            for step in range(1, min(self._direct(), end - longer.periods) + 1):
                inputs, last = features(np.array([longer.periods]), step)
                regressor = self.regressors_[step - 1 if self.each_step else 0]
                change = regressor.predict(np.nan_to_num(inputs[:, 0]))
                forecasts.append(last[:, 0] + change * self._scale(longer)[:, 0])
            longer = replace(longer, history=np.column_stack([longer.history, *forecasts]))
        forecast = longer.history[:, panel.periods :]
        usable = (panel.lengths() >= self._least())[:, None] & np.isfinite(forecast)
        return np.where(usable, forecast, repeat_season(panel.history, self.season, horizon))

    def _features(self, panel: Panel) -> Features:
        """Return what makes features of origins and a step, (series, origins, features).

        It returns the values a season before as well, (series, origins).
        """
        season, values, scale = self.season, panel.history, self._scale(panel)
        newest = range(min(MOST_LAGS, max(season, LEAST_LAGS), self._least()))
        periods = panel.start + np.arange(panel.periods + self.horizon)
        waves = [
            function(2 * np.pi * wave * cycle)
            for cycle in Calendar(self.frequency).cycles(periods)
            for wave in range(1, WAVES + 1)
            for function in (np.sin, np.cos)
        ]

        def features(origins: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
            ahead = origins + step - 1
            before = origins - season + (step - 1) % season
            last = values[:, before]
            level = values[:, origins[:, None] - 1 - np.arange(season)].mean(axis=2)
            parts = [(last - level) / scale, np.broadcast_to(float(step), last.shape)]
            parts += [(values[:, origins - 1 - k] - level) / scale for k in newest]
            parts += [
                (values[:, origins - 1 - k] - values[:, origins - 1 - k - season]) / scale
                for k in range(CHANGES)
            ]
            parts += [np.broadcast_to(wave[ahead], last.shape) for wave in waves]
            for column in np.moveaxis(panel.known, 2, 0):
                parts += [column[:, ahead], column[:, ahead] - column[:, before]]
            return np.stack(parts, axis=2), last

        return features

    def _scale(self, panel: Panel) -> np.ndarray:
        return usual_change(panel.history, self.season)[:, None]

    def _direct(self) -> int:
        """Return how many steps are forecast directly."""
        return min(self.horizon, max(min(self.season, MOST_LAGS), LEAST_LAGS))

    def _least(self) -> int:
        """Return how many periods are needed before an origin."""
        return self.season + max(CHANGES, min(LEAST_LAGS, self.season))
