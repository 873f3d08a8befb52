"""ARIMA with a season (Box and Jenkins, 1970), its orders chosen from few that fit most series."""

from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.stattools import kpss

from .local import LocalForecaster

# (p, q) by the number of differences; with none, after the season is taken out, a constant is left.
ORDERS = {0: [(1, 0), (2, 0), (1, 1)], 1: [(0, 1), (1, 0), (1, 1)]}
FORMS = [(p, d, q) for d, pairs in ORDERS.items() for p, q in pairs]
LONGEST_SEASON = 24  # the state of a longer one is costly: waves stand for it then
WAVES = 3
TREND_LEVEL = 0.05  # of the test for a trend (Kwiatkowski, Phillips, Schmidt and Shin, 1992)
EDGE = 0.98  # how near the coefficients may come to where a process is not stable


class Arima(LocalForecaster):
    """ARIMA of each series, with the season (0, 1, 1) and the columns that are known ahead.

    A series is differenced where the KPSS test asks for it, and its orders have the least corrected
    AIC of the conditional sum of squares. Sines and cosines stand for a season longer than 24.

    Parameters
    ----------
    season
        Periods in a season, 1 if there is none.
    exact
        Whether the coefficients have the greatest likelihood, or the least conditional sum of
        squares, which is found in a tenth of the time.
    """

    def __init__(self, season: int = 1, exact: bool = False) -> None:
        super().__init__(season)
        self.exact = exact

    def _fit(self, values: np.ndarray, known: np.ndarray, form: int | None) -> np.ndarray:
        exog = self._exog(known)
        if form is not None:
            orders = [form]
        else:
            number = self._number_of_differences(values)
            orders = [k for k, (_, d, _) in enumerate(FORMS) if d == number]
        fits = [(*self._least_squares(values, exog, order), order) for order in orders]
        _, coefficients, order = min(fits, key=lambda fit: fit[0])
        if self.exact:
            # Without its first values the series has a state that is several times as small.
            model = self._model(values, exog, order, simple_differencing=True)
            fitted = model.fit(coefficients, disp=False, maxiter=50, cov_type="none")
            coefficients = fitted.params
        return np.array([order, *coefficients])

    def _forecast(
        self, values: np.ndarray, known: np.ndarray, horizon: int, parameters: np.ndarray
    ) -> np.ndarray:
        exog = self._exog(known)
        past = None if exog is None else exog[: len(values)]
        ahead = None if exog is None else exog[len(values) :]
        model = self._model(values, past, int(parameters[0]), simple_differencing=False)
        coefficients = parameters[1 : 1 + len(model.param_names)]
        fitted = model.filter(coefficients, cov_type="none")
        return np.asarray(fitted.forecast(horizon, exog=ahead))

    def _least_squares(
        self, values: np.ndarray, exog: np.ndarray | None, order: int
    ) -> tuple[float, np.ndarray]:
        """Return the corrected AIC of an order, and its coefficients as SARIMAX orders them."""
        p, d, q = FORMS[order]
        seasonal = self._seasonal(len(values))
        series = self._difference(values, d)
        slopes, level = np.zeros(0), 0.0
        regressors = [np.ones((len(series), 1))] if d == 0 else []
        if exog is not None:
            regressors.append(self._difference(exog, d))
        if regressors:
            slopes = np.linalg.lstsq(np.hstack(regressors), series, rcond=None)[0]
            series = series - np.hstack(regressors) @ slopes
            level, slopes = (slopes[0], slopes[1:]) if d == 0 else (0.0, slopes)
        size, number = len(series), p + q + seasonal

        def parts(free: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            """Return the coefficients of AR (by partial autocorrelations), MA and season."""
            ar = free[:p] if p < 2 else np.array([free[0] * (1 - free[1]), free[1]])
            return ar, free[p : p + q], free[p + q :]

        def loss(free: np.ndarray) -> float:
            ar, ma, season = parts(free)
            below = np.concatenate([[1.0], ma])
            if seasonal:
                wave = np.concatenate([[1.0], np.zeros(self.season - 1), season])
                below = np.convolve(below, wave)
            errors = lfilter(np.concatenate([[1.0], -ar]), below, series)
            return float(np.log(np.mean(errors[p:] ** 2) + 1e-300))

        start = np.concatenate([np.full(p, 0.1), np.full(q, -0.1), np.full(int(seasonal), -0.3)])
        best = minimize(loss, start, bounds=[(-EDGE, EDGE)] * number, method="L-BFGS-B")
        ar, ma, season = parts(best.x)
        constant = [level * (1 - ar.sum())] if d == 0 else []
        count = number + len(constant) + len(slopes) + 1
        criterion = size * best.fun + 2 * count * size / max(size - count - 1, 1)
        return criterion, np.concatenate([constant, slopes, ar, ma, season])

    def _model(
        self, values: np.ndarray, exog: np.ndarray | None, order: int, **options: bool
    ) -> Any:
        p, d, q = FORMS[order]
        seasonal = self._seasonal(len(values))
        return SARIMAX(
            values,
            exog=exog,
            order=(p, d, q),
            seasonal_order=(0, 1, 1, self.season) if seasonal else (0, 0, 0, 0),
            trend="c" if d == 0 else None,
            concentrate_scale=True,
            **options,
        )

    def _seasonal(self, length: int) -> bool:
        return 1 < self.season <= LONGEST_SEASON and length > 2 * self.season + 3

    def _difference(self, values: np.ndarray, differences: int) -> np.ndarray:
        """Return the differences from season to season, and then from value to value."""
        if self._seasonal(len(values)):
            values = values[self.season :] - values[: -self.season]
        return np.diff(values, differences, axis=0)

    def _number_of_differences(self, values: np.ndarray) -> int:
        seasonless = self._difference(values, 0)
        return int(np.ptp(seasonless) > 0 and kpss(seasonless, nlags="auto")[1] < TREND_LEVEL)

    def _exog(self, known: np.ndarray) -> np.ndarray | None:
        """Return the regressors: what is known ahead, and waves for a long season."""
        parts = [known] if known.shape[1] else []
        if self.season > LONGEST_SEASON:
            turns = 2 * np.pi * np.arange(len(known)) / self.season
            waves = [f(k * turns) for k in range(1, WAVES + 1) for f in (np.sin, np.cos)]
            parts.append(np.column_stack(waves))
        return np.column_stack(parts) if parts else None
