"""Local forecasters: each series has a model of its own, of statsmodels."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from inspect import signature
from typing import Any, Self, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator, clone
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from ...preparation.panel import Panel
from ..parallel import MANY_CALLS, map_many
from .naive import repeat_season

Array: TypeAlias = np.ndarray

MOST_PERIODS = 1500  # of a series; what is older says little about the future and costs time
FAILED = np.array([np.nan])  # the parameters of a series that no model fits
ERRORS = (ValueError, ArithmeticError, np.linalg.LinAlgError, IndexError)

# Whether ETS has a trend, and whether it is damped. It is added only: one that multiplies explodes.
TRENDS: list[tuple[str | None, bool]] = [(None, False), ("add", False), ("add", True)]
SEASONS: list[tuple[str, str | None]] = [  # the error and the season
    ("add", None),
    ("mul", None),
    ("add", "add"),
    ("add", "mul"),
    ("mul", "mul"),
]
LONGEST_SEASON = 60  # a state for each period of the season has to be learnt from few of them


class LocalForecaster(BaseEstimator, ABC):
    """A model for each series; a series that cannot be fitted repeats its last season.

    A subclass fits and continues one series, with parameters that are numbers.

    Attributes
    ----------
    names_ : ndarray of str, (series,)
        The series that were fitted.
    first_ : int
        The ordinal of the first period that they were fitted to.
    parameters_ : ndarray of float, (series, parameters)
        NaN beyond those that the model of a series has.
    """

    def __init__(self, season: int = 1) -> None:
        self.season = season

    def fit(self, panel: Panel, previous: Self | None = None) -> Self:
        """Fit every series of a panel without gaps.

        Parameters
        ----------
        panel : Panel
            The series.
        previous : LocalForecaster, optional
            Fitted to fewer periods of these series: the forms that it chose stay, and only their
            parameters are fitted, which is several times as quick.

        Raises
        ------
        ValueError
            If no series can be fitted.
        """
        self.first_ = max(panel.start, panel.end - MOST_PERIODS)
        before = previous.by_series() if previous is not None else {}
        series = zip(self._series(panel, panel.end), panel.names, strict=True)
        calls = [(values, known, before.get(name)) for (values, known), name in series]
        rows = map_many(partial(_quietly, clone(self).fit_one), calls)
        width = max(map(len, rows))
        padded = [np.pad(row, (0, width - len(row)), constant_values=np.nan) for row in rows]
        self.names_ = np.array(panel.names, dtype=str)
        self.parameters_ = np.array(padded)
        if np.isnan(self.parameters_[:, 0]).all():
            raise ValueError("no series could be fitted")
        return self

    def forecast(self, panel: Panel, horizon: int) -> Array:
        """Return the forecasts, (series, horizon); a series that was not fitted is fitted first."""
        fitted = self.by_series()
        series = zip(self._series(panel, panel.end + horizon), panel.names, strict=True)
        calls = [(values, known, horizon, fitted.get(name)) for (values, known), name in series]
        return np.array(map_many(partial(_quietly, clone(self).continue_one), calls))

    def by_series(self) -> dict[str, Array]:
        """Return the parameters of each series."""
        return dict(zip(self.names_.tolist(), self.parameters_, strict=True))

    def _series(self, panel: Panel, end: int) -> Iterable[tuple[Array, Array]]:
        """Yield the values of each series, and what is known ahead up to an ordinal."""
        for k, length in enumerate(panel.lengths()):
            begin = max(self.first_ - panel.start, panel.periods - length)
            yield panel.history[k, begin:], panel.known[k, begin : end - panel.start]

    def fit_one(self, values: Array, known: Array, before: Array | None = None) -> Array:
        """Return the parameters of one series, NaN if it cannot be fitted."""
        try:
            failed = before is None or np.isnan(before[0])
            return self.fit_series(values, known, None if failed else before)
        except ERRORS:
            return FAILED

    def continue_one(
        self, values: Array, known: Array, horizon: int, parameters: Array | None
    ) -> Array:
        """Return the forecast of one series."""
        plain = repeat_season(values[None], self.season, horizon)[0]
        if parameters is None:
            parameters = self.fit_one(values, known[: len(values)])
        if np.isnan(parameters[0]):
            return plain
        try:
            forecast = self.forecast_series(
                values, known, horizon, parameters[~np.isnan(parameters)]
            )
        except ERRORS:
            return plain
        # What is unstable explodes: it leaves the range of the series by many times its width.
        room = 5 * (values.max() - values.min())
        stable = np.isfinite(forecast) & (np.abs(forecast - plain) <= room)
        return np.where(stable, forecast, plain)

    @abstractmethod
    def fit_series(self, values: Array, known: Array, before: Array | None) -> Array:
        """Return the parameters of one series; of the form that was chosen before, or the best."""

    @abstractmethod
    def forecast_series(
        self, values: Array, known: Array, horizon: int, parameters: Array
    ) -> Array:
        """Return the forecast of one series."""


class Exponential(LocalForecaster):
    """Exponential smoothing in state space form (Hyndman, Koehler, Ord and Snyder, 2008).

    Error, trend and season of each series are chosen by the corrected AIC: with a linear trend, the
    error and the season first, then the trend.

    Parameters
    ----------
    season : int
        Periods in a season, 1 if there is none.
    """

    def fit_series(self, values: Array, known: Array, before: Array | None) -> Array:
        """Return the form, and its parameters."""
        if before is not None:
            return self._fit_form(values, int(before[0]), int(before[1]))[1]
        seasonal = 1 < self.season <= LONGEST_SEASON and len(values) >= 2 * self.season + 2
        possible = [
            k
            for k, (error, season) in enumerate(SEASONS)
            if (season is not None) == seasonal
            and (values.min() > 0 or "mul" not in (error, season))
        ]
        linear = {k: self._fit_form(values, 1, k) for k in possible}
        best = min(linear, key=lambda k: linear[k][0])
        fits = [linear[best], *(self._fit_form(values, trend, best) for trend in (0, 2))]
        return min(fits, key=lambda fit: fit[0])[1]

    def _fit_form(self, values: Array, trend: int, season: int) -> tuple[float, Array]:
        """Return the corrected AIC of a form, infinite where it cannot be fitted, and the fit."""
        fitted = self._model(values, trend, season).fit(disp=False, maxiter=200)
        good = np.isfinite(fitted.aicc) and np.isfinite(fitted.params).all()
        return float(fitted.aicc) if good else np.inf, np.array([trend, season, *fitted.params])

    def forecast_series(
        self, values: Array, known: Array, horizon: int, parameters: Array
    ) -> Array:
        """Return the forecast of one series."""
        trend, season = parameters[:2].astype(int)
        fitted = self._model(values, trend, season).smooth(parameters[2:])
        return np.asarray(fitted.forecast(horizon))

    def _model(self, values: Array, trend: int, season: int) -> Any:
        (kind, damped), (error, seasonal) = TRENDS[trend], SEASONS[season]
        return ETSModel(
            values,
            error=error,
            trend=kind,
            damped_trend=damped,
            seasonal=seasonal,
            seasonal_periods=self.season if seasonal else None,
            initialization_method="heuristic",
        )


def fit_again(forecaster: Any, panel: Panel, previous: Any) -> Any:
    """Fit a forecaster; of many series with the forms that were chosen before.

    The wrong form of one series weighs little among many, and takes long to choose.
    """
    takes = "previous" in signature(forecaster.fit).parameters
    if takes and previous is not None and len(panel.names) >= MANY_CALLS:
        return forecaster.fit(panel, previous=previous)
    return forecaster.fit(panel)


def _quietly(function: Callable[..., Array], call: tuple[Any, ...]) -> Array:
    """Call without the warnings of fits that do not converge: the backtest scores them."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*call)
