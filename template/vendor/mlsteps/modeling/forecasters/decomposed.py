"""Seasons by decomposition; what they leave is continued by a forecaster without a season."""

from collections.abc import Sequence

import numpy as np
from statsmodels.tsa.seasonal import MSTL

from ...problem.seasons import waves
from .local import Array, LocalForecaster


class Decomposed(LocalForecaster):
    """Seasonal-trend decomposition by LOESS, with one season or several.

    Each season goes on as in its last cycle, and the seasonally adjusted series is continued
    (Cleveland and others, 1990; of several seasons Bandara, Hyndman and Bergmeir, 2021). For one
    whose length is no whole number stand waves, which do not change.

    Parameters
    ----------
    remainder : LocalForecaster
        Continues the adjusted series.
    season : int
        Periods in the main season, 1 if there is none.
    seasons : sequence of float
        Periods in each season, the shortest first.
    log : bool
        Whether seasons grow with the level, where all values are above 0. The trend never does: in
        AirPassengers one that multiplies explodes.
    """

    def __init__(
        self,
        remainder: LocalForecaster,
        season: int = 1,
        seasons: Sequence[float] = (),
        log: bool = True,
    ) -> None:
        super().__init__(season)
        self.remainder = remainder
        self.seasons = seasons
        self.log = log

    def fit_series(self, values: Array, known: Array, before: Array | None) -> Array:
        """Return the parameters of what continues the adjusted series."""
        return self.remainder.fit_series(self._adjust(values, 0)[0], known, before)

    def forecast_series(
        self, values: Array, known: Array, horizon: int, parameters: Array
    ) -> Array:
        """Return the forecast of one series."""
        adjusted, ahead = self._adjust(values, horizon)
        rest = self.remainder.forecast_series(adjusted, known, horizon, parameters)
        return rest * np.exp(ahead) if self._grows(values) else rest + ahead

    def _adjust(self, values: Array, horizon: int) -> tuple[Array, Array]:
        """Return a series without its seasons, and the sum of these (logs, if they grow) ahead."""
        seasons = [season for season in self.seasons if len(values) >= 2 * season + 2]
        if not seasons:
            return values, np.zeros(horizon)
        series = np.log(values) if self._grows(values) else values
        repeated = [season for season in seasons if season == round(season)]
        others = [season for season in seasons if season != round(season)]
        parts = _fitted_waves(series, others, horizon)
        if repeated:
            left = series - parts[: len(values)]
            found = MSTL(left, periods=[round(season) for season in repeated]).fit().seasonal
            for season, part in zip(repeated, found.reshape(len(values), -1).T, strict=True):
                cycle = np.resize(part[-round(season) :], horizon)
                parts += np.concatenate([part, cycle])
        now, ahead = parts[: len(values)], parts[len(values) :]
        return values / np.exp(now) if self._grows(values) else values - now, ahead

    def _grows(self, values: Array) -> bool:
        return self.log and float(values.min()) > 0


def _fitted_waves(values: Array, seasons: Sequence[float], horizon: int) -> Array:
    """Return the waves of seasons that are no whole number, fitted beside a curved trend."""
    time = np.arange(len(values) + horizon)
    trend, shape = (
        np.vander(time / len(values), 3),
        np.hstack([np.zeros((len(time), 1)), *waves(time, seasons)]),
    )
    inputs = np.hstack([shape, trend])[: len(values)]
    coefficients = np.linalg.lstsq(inputs, values, rcond=None)[0]
    return np.asarray(shape @ coefficients[: shape.shape[1]])
