"""Local forecasters: each series has a model of its own."""

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

from ...preparation.panel import Panel
from .naive import repeat_season

MOST_PERIODS = 1500  # of a series; what is older says little about the future and costs time
CORES = os.cpu_count() or 1
MANY_SERIES = 40  # from which processes pay for their start
FAILED = np.array([np.nan])  # the parameters of a series that no model fits
ERRORS = (ValueError, ArithmeticError, np.linalg.LinAlgError, IndexError)

# The forms of ETS: error, trend, whether it is damped, season. A trend is added only: one that
# multiplies explodes.
TRENDS: list[tuple[str | None, bool]] = [(None, False), ("add", False), ("add", True)]
SEASONS: list[tuple[str, str | None]] = [
    ("add", None),
    ("mul", None),
    ("add", "add"),
    ("add", "mul"),
    ("mul", "mul"),
]
ETS_FORMS = [(error, trend, damped, s) for trend, damped in TRENDS for error, s in SEASONS]
PLAIN, LINEAR, DAMPED = 0, len(SEASONS), 2 * len(SEASONS)  # where the forms of a trend begin
LONGEST_SEASON = 60  # a state for each period of the season has to be learnt from few of them


class LocalForecaster(BaseEstimator, ABC):
    """A model for each series.

    A subclass fits and continues one series. The first of its parameters is the form of the model;
    a series that cannot be fitted repeats its last season.

    Attributes
    ----------
    names_ : ndarray of str, (series,)
        The series that were fitted.
    firsts_ : ndarray of int, (series,)
        The ordinal of the first value that each was fitted to.
    parameters_ : ndarray of float, (series, parameters)
        NaN beyond those that the model of a series has.
    """

    def __init__(self, season: int = 1) -> None:
        self.season = season

    def fit(self, panel: Panel, previous: Self | None = None) -> Self:
        """Fit every series.

        Parameters
        ----------
        panel
            Series without gaps.
        previous
            A forecaster that was fitted to fewer periods of these series: the forms that it chose
            stay, and only their parameters are fitted, which is several times as quick.

        Raises
        ------
        ValueError
            If no series can be fitted.
        """
        fitted = previous.by_series() if previous is not None else {}
        firsts = _firsts(panel)
        calls = []
        for k, (name, first) in enumerate(zip(panel.names, firsts, strict=True)):
            form = fitted[name][1][0] if name in fitted else np.nan
            known = panel.known[k, first : panel.periods]
            calls.append((panel.history[k, first:], known, None if np.isnan(form) else int(form)))
        rows = _map(self._fit_or_fail, calls)
        width = max(map(len, rows))
        padded = [np.pad(row, (0, width - len(row)), constant_values=np.nan) for row in rows]
        self.names_ = np.array(panel.names, dtype=str)
        self.firsts_ = panel.start + firsts
        self.parameters_ = np.array(padded)
        if np.isnan(self.parameters_[:, 0]).all():
            raise ValueError("no series could be fitted")
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Return the forecasts, (series, horizon).

        A series that was not fitted, or now begins later than it did, is fitted first.
        """
        fitted, firsts = self.by_series(), _firsts(panel)
        calls = []
        for k, name in enumerate(panel.names):
            first, parameters = fitted.get(name, (-np.inf, None))
            begin = first - panel.start
            if begin < 0:
                begin, parameters = firsts[k], None
            values = panel.history[k, int(begin) :]
            known = panel.known[k, int(begin) : panel.periods + horizon]
            calls.append((values, known, horizon, parameters))
        return np.array(_map(self._continue, calls))

    def by_series(self) -> dict[str, tuple[int, np.ndarray]]:
        """Return the first ordinal and the parameters of each series by its name."""
        pairs = zip(self.firsts_.tolist(), self.parameters_, strict=True)
        return dict(zip(self.names_.tolist(), pairs, strict=True))

    def _fit_or_fail(self, values: np.ndarray, known: np.ndarray, form: int | None) -> np.ndarray:
        try:
            return self._fit(values, known, form)
        except ERRORS:
            return FAILED

    def _continue(
        self, values: np.ndarray, known: np.ndarray, horizon: int, parameters: np.ndarray | None
    ) -> np.ndarray:
        plain = repeat_season(values[None], self.season, horizon)[0]
        if parameters is None:
            parameters = self._fit_or_fail(values, known[: len(values)], None)
        if np.isnan(parameters[0]):
            return plain
        try:
            forecast = self._forecast(values, known, horizon, parameters)
        except ERRORS:
            return plain
        # What is unstable explodes: it leaves the range of the series by many times its width.
        room = 5 * (values.max() - values.min())
        stable = np.isfinite(forecast) & (np.abs(forecast - plain) <= room)
        return np.where(stable, forecast, plain)

    @abstractmethod
    def _fit(self, values: np.ndarray, known: np.ndarray, form: int | None) -> np.ndarray:
        """Return the parameters of one series; those of a form, or else of the best."""

    @abstractmethod
    def _forecast(
        self, values: np.ndarray, known: np.ndarray, horizon: int, parameters: np.ndarray
    ) -> np.ndarray:
        """Return the forecast of one series."""


class Exponential(LocalForecaster):
    """Exponential smoothing in state space form (Hyndman, Koehler, Ord and Snyder, 2008).

    Error, trend and season of each series are chosen by the corrected AIC: with a linear trend, the
    error and the season first, then the trend.

    Parameters
    ----------
    season
        Periods in a season, 1 if there is none.
    initial
        How the first states come about: ``heuristic``, from the first seasons, or ``estimated``,
        like the other parameters, which takes ten times as long.
    """

    def __init__(self, season: int = 1, initial: str = "heuristic") -> None:
        super().__init__(season)
        self.initial = initial

    def _fit(self, values: np.ndarray, known: np.ndarray, form: int | None) -> np.ndarray:
        if form is not None:
            return self._fitted(values, form)[1]
        seasonal = 1 < self.season <= LONGEST_SEASON and len(values) >= 2 * self.season + 2
        positive = values.min() > 0
        possible = [
            k
            for k, (error, season) in enumerate(SEASONS)
            if (season is not None) == seasonal and (positive or "mul" not in (error, season))
        ]
        linear = {k: self._fitted(values, LINEAR + k) for k in possible}
        best = min(linear, key=lambda k: linear[k][0])
        others = [self._fitted(values, begin + best) for begin in (PLAIN, DAMPED)]
        return min([linear[best], *others], key=lambda pair: pair[0])[1]

    def _fitted(self, values: np.ndarray, form: int) -> tuple[float, np.ndarray]:
        """Return the corrected AIC of a form, infinite where it cannot be fitted, and the fit."""
        fitted = self._model(values, form).fit(disp=False, maxiter=200)
        good = np.isfinite(fitted.aicc) and np.isfinite(fitted.params).all()
        return float(fitted.aicc) if good else np.inf, np.array([form, *fitted.params])

    def _forecast(
        self, values: np.ndarray, known: np.ndarray, horizon: int, parameters: np.ndarray
    ) -> np.ndarray:
        model = self._model(values, int(parameters[0]))
        fitted = model.smooth(parameters[1 : 1 + len(model.param_names)])
        return np.asarray(fitted.forecast(horizon))

    def _model(self, values: np.ndarray, form: int) -> Any:
        error, trend, damped, season = ETS_FORMS[form]
        return ETSModel(
            values,
            error=error,
            trend=trend,
            damped_trend=damped,
            seasonal=season,
            seasonal_periods=self.season if season else None,
            initialization_method=self.initial,
        )


class Theta(LocalForecaster):
    """The theta method (Assimakopoulos and Nikolopoulos, 2000).

    Half of a straight line and half of exponential smoothing, after the season is taken out. It is
    so quick that it is fitted whenever it forecasts.
    """

    def _fit(self, values: np.ndarray, known: np.ndarray, form: int | None) -> np.ndarray:
        return np.zeros(1)

    def _forecast(
        self, values: np.ndarray, known: np.ndarray, horizon: int, parameters: np.ndarray
    ) -> np.ndarray:
        seasonal = 1 < self.season <= len(values) // 2
        model = ThetaModel(values, period=self.season if seasonal else 1, deseasonalize=seasonal)
        return np.asarray(model.fit().forecast(horizon))


def _firsts(panel: Panel) -> np.ndarray:
    """Return the column of the first value of each series that is used."""
    return panel.periods - np.minimum(panel.lengths(), MOST_PERIODS)


def _map(function: Callable[..., np.ndarray], calls: list[Any]) -> list[np.ndarray]:
    """Call `function` with each of `calls`, in processes where there are many."""
    jobs = CORES if len(calls) >= MANY_SERIES else 1
    size = max(1, min(50, len(calls) // (2 * jobs)))
    parts = [calls[start : start + size] for start in range(0, len(calls), size)]
    done = Parallel(n_jobs=jobs)(delayed(_quietly)(function, part) for part in parts)
    return [one for part in done for one in part]


def _quietly(function: Callable[..., np.ndarray], calls: list[Any]) -> list[np.ndarray]:
    """Call without the warnings of fits that do not converge: the backtest scores them."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return [function(*call) for call in calls]
