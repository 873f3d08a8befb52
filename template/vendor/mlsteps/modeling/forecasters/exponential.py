"""Exponential smoothing in state space form (Hyndman, Koehler, Ord and Snyder, 2008)."""

from typing import Any

import numpy as np
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from .each import EachSeries

# Error, trend, whether it is damped, season. A trend is added only: one that multiplies explodes.
TRENDS: list[tuple[str | None, bool]] = [(None, False), ("add", False), ("add", True)]
SEASONS: list[tuple[str, str | None]] = [
    ("add", None),
    ("mul", None),
    ("add", "add"),
    ("add", "mul"),
    ("mul", "mul"),
]
FORMS = [(error, trend, damped, s) for trend, damped in TRENDS for error, s in SEASONS]
PLAIN, LINEAR, DAMPED = 0, len(SEASONS), 2 * len(SEASONS)  # where the forms of a trend begin
LONGEST_SEASON = 60  # a state for each period of the season has to be learnt from few of them


class Exponential(EachSeries):
    """ETS: error, trend and season of each series are chosen by the corrected AIC.

    With a linear trend, the error and the season are chosen first, then the trend.

    Parameters
    ----------
    season
        Periods in a season, 1 if there is none.
    initial
        How the first states come about: ``heuristic``, from the first seasons, or ``estimated``,
        like the other numbers, which takes ten times as long.
    """

    def __init__(self, season: int = 1, initial: str = "heuristic") -> None:
        super().__init__(season)
        self.initial = initial

    def _fit(self, values: np.ndarray, known: np.ndarray, form: np.ndarray | None) -> np.ndarray:
        if form is not None:
            return self._fitted(values, int(form[0]))[1]
        seasonal = 1 < self.season <= LONGEST_SEASON and len(values) >= 2 * self.season + 2
        positive = values.min() > 0
        season = [
            k
            for k, (error, kind) in enumerate(SEASONS)
            if (kind is not None) == seasonal and (positive or "mul" not in (error, kind))
        ]
        linear = [self._fitted(values, LINEAR + k) for k in season]
        best = min(range(len(season)), key=lambda k: linear[k][0])
        others = [self._fitted(values, begin + season[best]) for begin in (PLAIN, DAMPED)]
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
        learnt = parameters[1 : 1 + len(model.param_names)]
        return np.asarray(model.smooth(learnt).forecast(horizon))

    def _model(self, values: np.ndarray, form: int) -> Any:
        error, trend, damped, season = FORMS[form]
        return ETSModel(
            values,
            error=error,
            trend=trend,
            damped_trend=damped,
            seasonal=season,
            seasonal_periods=self.season if season else None,
            initialization_method=self.initial,
        )
