"""The theta method (Assimakopoulos and Nikolopoulos, 2000)."""

import numpy as np
from statsmodels.tsa.forecasting.theta import ThetaModel

from .each import EachSeries


class Theta(EachSeries):
    """Half of a straight line and half of exponential smoothing, after the season is taken out."""

    def _fit(self, values: np.ndarray, known: np.ndarray, form: np.ndarray | None) -> np.ndarray:
        """Learn nothing: it is so quick that it is fitted to the history whenever it forecasts."""
        return np.zeros(1)

    def _forecast(
        self, values: np.ndarray, known: np.ndarray, horizon: int, parameters: np.ndarray
    ) -> np.ndarray:
        seasonal = 1 < self.season <= len(values) // 2
        period = self.season if seasonal else 1
        model = ThetaModel(values, period=period, deseasonalize=seasonal)
        return np.asarray(model.fit().forecast(horizon))
