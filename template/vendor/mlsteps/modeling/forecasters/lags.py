"""Regression on the past of all series together."""

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
    """Forecasts from the lags of a series, with what all series have taught.

    What is learnt is by how much a series will differ from its last season, in units of how much
    it usually does, so that large and small series teach the same. It is told from the newest
    values, the changes from season to season, the calendar, and the columns that are known ahead.
    A season is forecast directly, each step from what was known at its origin, and the seasons
    after it from those before (Taieb et al., 2012, call this DIRMO).

    Parameters
    ----------
    regressor
        Learns the differences.
    season
        Periods in a season, 1 if there is none.
    horizon
        The most steps ahead.
    frequency
        That of the calendar, whose cycles are told.
    each_step
        Whether each step ahead has a regressor of its own; if not, one is told the step.

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

    def fit(self, panel: Panel, like: Self | None = None) -> Self:
        """Learn from every origin of every series; `like` is not needed.

        Raises
        ------
        ValueError
            If every series is too short.
        """
        view = self._view(panel)
        steps = range(1, self._direct() + 1)
        origins = np.arange(view.least, panel.periods - steps[-1] + 1)
        origins = origins[-max(1, MOST_ROWS // (len(panel.names) * len(steps))) :]
        ripe = origins[None] >= view.begun[:, None] + view.least
        if not ripe.any():
            raise ValueError(f"no series has the {view.least + steps[-1]} periods that lags need")
        examples = []
        for step in steps:
            told, last = view.told(origins, step)
            came = (view.history[:, origins + step - 1] - last) / view.spread[:, None]
            examples.append((told[ripe], came[ripe]))
        if not self.each_step:
            inputs, targets = zip(*examples, strict=True)
            examples = [(np.concatenate(inputs), np.concatenate(targets))]
        self.regressors_ = [clone(self.regressor).fit(*example) for example in examples]
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Return the forecasts, (series, horizon).

        A series that is too short for lags repeats its last season.
        """
        length = panel.periods
        plain = repeat_season(panel.history, self.season, horizon)
        short = panel.lengths() < self._view(panel).least
        longer = panel
        while longer.periods < length + horizon:
            view, origin = self._view(longer), np.array([longer.periods])
            found = []
            # No further than is asked for: beyond that, what is known ahead may not be told.
            for step in range(1, min(self._direct(), length + horizon - longer.periods) + 1):
                told, last = view.told(origin, step)
                regressor = self.regressors_[step - 1 if self.each_step else 0]
                change = regressor.predict(np.nan_to_num(told[:, 0]))
                found.append(last[:, 0] + change * view.spread)
            longer = replace(longer, history=np.column_stack([longer.history, *found]))
        forecast = longer.history[:, length : length + horizon]
        return np.where(short[:, None] | ~np.isfinite(forecast), plain, forecast)

    def _direct(self) -> int:
        """Return how many steps are forecast directly."""
        return min(self.horizon, max(min(self.season, MOST_LAGS), LEAST_LAGS))

    def _view(self, panel: Panel) -> "View":
        return View(panel, self.season, self.horizon, self.frequency)


class View:
    """A panel as lags see it.

    Attributes
    ----------
    history : (series, periods)
        Those of the panel.
    spread : (series,)
        How much each series usually changes from season to season.
    begun : (series,)
        The first period of each series.
    least
        How many periods are needed before an origin.
    """

    def __init__(self, panel: Panel, season: int, horizon: int, frequency: str) -> None:
        self.history = panel.history
        self.begun = panel.periods - panel.lengths()
        self.least = season + max(CHANGES, min(LEAST_LAGS, season))
        self.spread = usual_change(panel.history, season)
        self._season = season
        self._lags = min(MOST_LAGS, max(season, LEAST_LAGS), self.least)
        self._known = panel.known
        periods = panel.start + np.arange(panel.periods + horizon)
        turns = [
            2 * np.pi * wave * where
            for where in Calendar(frequency).cycles(periods).values()
            for wave in range(1, WAVES + 1)
        ]
        self._waves = [shape(turn) for turn in turns for shape in (np.sin, np.cos)]

    def told(self, origins: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what is known `step` periods ahead of a date, and its value a season before.

        Parameters
        ----------
        origins : (origins,)
            Of how many periods the values are known.

        Returns
        -------
        told : (series, origins, features), last : (series, origins)
        """
        season, values, unit = self._season, self.history, self.spread[:, None]
        dates = origins + step - 1
        before = origins - season + (step - 1) % season
        last = values[:, before]
        level = values[:, origins[:, None] - 1 - np.arange(season)].mean(axis=2)
        parts = [(last - level) / unit, np.broadcast_to(float(step), last.shape)]
        parts += [(values[:, origins - 1 - k] - level) / unit for k in range(self._lags)]
        for k in range(CHANGES):
            parts.append((values[:, origins - 1 - k] - values[:, origins - 1 - k - season]) / unit)
        parts += [np.broadcast_to(wave[dates], last.shape) for wave in self._waves]
        for column in np.moveaxis(self._known, 2, 0):
            parts += [column[:, dates], column[:, dates] - column[:, before]]
        return np.stack(parts, axis=2), last
