"""ARIMA with a season (Box and Jenkins, 1970), its orders chosen from few that fit most series."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.stattools import kpss

from ...problem.seasons import waves
from .local import Array, LocalForecaster

# (p, d, q); with no difference after that of the season a constant is left.
ORDERS = [(1, 0, 0), (2, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0), (1, 1, 1)]
LONGEST_SEASON = 24  # the state of a longer one is costly: waves stand for it then
WAVES = 3  # of each season
TREND_LEVEL = 0.05  # of the test for a trend (Kwiatkowski, Phillips, Schmidt and Shin, 1992)
EDGE = 0.98  # how near the coefficients may come to where a process is not stable


class Arima(LocalForecaster):
    """ARIMA of each series, with the season (0, 1, 1) and the columns that are known ahead.

    A series is differenced where the KPSS test asks for it, and its orders have the least corrected
    AIC of the conditional sum of squares. Sines and cosines stand for seasons longer than 24, and
    for all others than the main one (dynamic harmonic regression).

    Parameters
    ----------
    season : int
        Periods in the main season, 1 if there is none.
    seasons : sequence of float
        Periods in each season, the shortest first.
    exact : bool
        Whether the coefficients have the greatest likelihood, or the least conditional sum of
        squares, which is found in a tenth of the time.
    """

    def __init__(self, season: int = 1, seasons: Sequence[float] = (), exact: bool = False) -> None:
        super().__init__(season)
        self.seasons = seasons
        self.exact = exact

    def fit_series(self, values: Array, known: Array, before: Array | None) -> Array:
        """Return the place of the orders in `ORDERS`, and the coefficients."""
        exog, seasonless = self._exog(known), self._difference(values, 0)
        if before is None:
            trend = has_trend(seasonless)
            orders = [k for k, (_, d, _) in enumerate(ORDERS) if d == trend]
        else:
            orders = [int(before[0])]
        fits = [(*self._least_squares(values, exog, *ORDERS[k]), k) for k in orders]
        _, coefficients, order = min(fits, key=lambda fit: fit[0])
        if self.exact:
            # Without its first values the series has a state that is several times as small.
            model = self._model(values, exog, order, simple_differencing=True)
            fitted = model.fit(coefficients, disp=False, maxiter=50, cov_type="none")
            coefficients = fitted.params
        return np.array([order, *coefficients])

    def forecast_series(
        self, values: Array, known: Array, horizon: int, parameters: Array
    ) -> Array:
        """Return the forecast of one series."""
        exog, now = self._exog(known), len(values)
        model = self._model(values, exog[:now], int(parameters[0]), simple_differencing=False)
        fitted = model.filter(parameters[1:], cov_type="none")
        return np.asarray(fitted.forecast(horizon, exog=exog[now:] if exog.size else None))

    def _least_squares(
        self, values: Array, exog: Array, p: int, d: int, q: int
    ) -> tuple[float, Array]:
        """Return the corrected AIC of an order, and its coefficients as SARIMAX orders them."""
        seasonal, series = self._seasonal(values), self._difference(values, d)
        regressors = np.hstack([np.ones((len(series), 1 - d)), self._difference(exog, d)])
        slopes = np.linalg.lstsq(regressors, series, rcond=None)[0]
        series = series - regressors @ slopes

        def parts(free: Array) -> tuple[Array, Array, Array]:
            """Return the coefficients of AR (by partial autocorrelations), MA and season."""
            ar = free[:p] if p < 2 else np.array([free[0] * (1 - free[1]), free[1]])
            return ar, free[p : p + q], free[p + q :]

        def loss(free: Array) -> float:
            ar, ma, season = parts(free)
            below = np.concatenate([[1.0], ma])
            if seasonal:
                below = np.convolve(below, np.concatenate([[1], np.zeros(self.season - 1), season]))
            errors = lfilter(np.concatenate([[1.0], -ar]), below, series)
            return float(np.log(np.mean(errors[p:] ** 2) + 1e-300))

        start = np.repeat([0.1, -0.1, -0.3], [p, q, seasonal])
        best = minimize(loss, start, bounds=[(-EDGE, EDGE)] * len(start), method="L-BFGS-B")
        ar, ma, season = parts(best.x)
        if d == 0:
            slopes[0] *= 1 - ar.sum()  # the constant, not the level
        coefficients = np.concatenate([slopes, ar, ma, season])
        size, count = len(series), len(coefficients) + 1
        criterion = size * best.fun + 2 * count * size / max(size - count - 1, 1)
        return criterion, coefficients

    def _model(self, values: Array, exog: Array, order: int, **options: bool) -> Any:
        return SARIMAX(
            values,
            exog=exog if exog.size else None,
            order=ORDERS[order],
            seasonal_order=(0, 1, 1, self.season) if self._seasonal(values) else (0, 0, 0, 0),
            trend="c" if ORDERS[order][1] == 0 else None,
            concentrate_scale=True,
            **options,
        )

    def _seasonal(self, values: Array) -> bool:
        return 1 < self.season <= LONGEST_SEASON and len(values) > 2 * self.season + 3

    def _difference(self, values: Array, differences: int) -> Array:
        """Return the differences from season to season, and then from value to value."""
        if self._seasonal(values):
            values = values[self.season :] - values[: -self.season]
        return np.diff(values, differences, axis=0)

    def _exog(self, known: Array) -> Array:
        """Return the regressors: what is known ahead, and waves of all other seasons."""
        others = [s for s in self.seasons if s > LONGEST_SEASON or round(s) != self.season]
        return np.column_stack([known, *waves(np.arange(len(known)), others, WAVES)])


def has_trend(values: Array) -> bool:
    """Return whether the KPSS test asks for a difference."""
    return bool(np.ptp(values) > 0 and kpss(values, nlags="auto")[1] < TREND_LEVEL)
