"""Autoregression of long order: what continues a cycle that is no season."""

import numpy as np

from .arima import has_trend
from .local import Array, LocalForecaster

ORDERS = (1, 2, 3, 5, 8, 12, 18, 26, 36)


class Autoregression(LocalForecaster):
    """A regression of each series on its past values and the columns that are known ahead.

    A series with a trend is differenced, and the order has the least corrected AIC. Seasons are
    for others: see `Decomposed`.
    """

    def fit_series(self, values: Array, known: Array, before: Array | None) -> Array:
        """Return the differences, the order and the coefficients."""
        if before is None:
            difference = int(has_trend(values))
            orders = [p for p in ORDERS if 4 * p <= len(values)]
        else:
            difference, orders = int(before[0]), [int(before[1])]
        fits = [self._least_squares(values, known, difference, p, max(orders)) for p in orders]
        order = orders[int(np.argmin([criterion for criterion, _ in fits]))]
        coefficients = self._least_squares(values, known, difference, order, order)[1]
        return np.array([difference, order, *coefficients])

    def forecast_series(
        self, values: Array, known: Array, horizon: int, parameters: Array
    ) -> Array:
        """Return the forecast of one series, step after step."""
        difference, order = parameters[:2].astype(int)
        past, outside = parameters[2 : 2 + order], parameters[2 + order :]
        regressors = self._regressors(known, difference)[len(values) - difference :]
        series = list(np.diff(values, difference)[-order:])
        for step in range(horizon):
            series.append(past @ series[: -order - 1 : -1] + outside @ regressors[step])
        ahead = np.array(series[order:])
        return values[-1] + np.cumsum(ahead) if difference else ahead

    def _least_squares(
        self, values: Array, known: Array, difference: int, order: int, skipped: int
    ) -> tuple[float, Array]:
        """Return the corrected AIC of an order, and its coefficients: those of the past first."""
        series = np.diff(values, difference)
        past = [series[skipped - lag : len(series) - lag] for lag in range(1, order + 1)]
        outside = self._regressors(known, difference)[skipped : len(series)]
        inputs, target = np.column_stack([*past, outside]), series[skipped:]
        coefficients = np.linalg.lstsq(inputs, target, rcond=None)[0]
        size, count = len(target), len(coefficients) + 1
        error = np.mean((target - inputs @ coefficients) ** 2) + 1e-300
        return size * np.log(error) + 2 * count * size / max(size - count - 1, 1), coefficients

    def _regressors(self, known: Array, difference: int) -> Array:
        changes = np.diff(known, difference, axis=0)
        return np.column_stack([changes, np.ones(len(changes))])
