"""A fitted forecaster with the history that it continues, and what is made of its forecasts."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..problem.series import PERIOD, SERIES, least_periods
from .forecasters.naive import usual_change


class ForecastModel(BaseEstimator):
    """What is stored of a forecasting model: a fitted forecaster, and the history it continues."""

    def __init__(self, forecaster: Any, panel: Panel) -> None:
        self.forecaster = forecaster
        self.panel = panel


def forecast_ahead(forecaster: Any, head: Panel, season: int, horizon: int) -> pd.DataFrame:
    """Forecast from the end of a panel."""
    steps = np.arange(1, horizon + 1)
    return pd.DataFrame(
        {
            SERIES: np.repeat(head.names, horizon),
            PERIOD: np.tile(head.end - 1 + steps, len(head.names)),
            "origin": head.end,
            "step": np.tile(steps, len(head.names)),
            "prediction": np.asarray(forecaster.forecast(head, horizon)).ravel(),
            "scale": np.repeat(usual_change(head.history, season), horizon),
        }
    )


def roll_on(
    forecaster: Any, history: Panel, begin: int, schema: Schema, *, fit: bool = False
) -> pd.DataFrame:
    """Forecast the end of a history: from the period `begin` on, and anew after each horizon.

    The forecaster is fitted once, to what came before; then only the history it continues is new.
    """
    season, horizon = schema.decision["season"], schema.decision["horizon"]
    forecasts = []
    for origin in range(begin, history.periods, horizon):
        head = history.head(origin, schema.decision["gaps"], least_periods(season))
        if fit and origin == begin:
            forecaster.fit(head)
        ahead = min(horizon, history.periods - origin)
        forecasts.append(forecast_ahead(forecaster, head, season, ahead))
    return pd.concat(forecasts, ignore_index=True)


def add_true(forecasts: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Return the forecasts whose true value a panel knows, with ``true``."""
    true = panel.history[panel.at(forecasts[SERIES], forecasts[PERIOD])]
    return forecasts.assign(true=true)[~np.isnan(true)]


def add_intervals(forecasts: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Return forecasts with ``low`` and ``high``, by ``prediction``, ``scale`` and ``step``."""
    steps = forecasts["step"].to_numpy() - 1
    ends = {
        name: forecasts["prediction"] + forecasts["scale"] * np.array(decision[name])[steps]
        for name in ("low", "high")
    }
    return forecasts.assign(**ends)
