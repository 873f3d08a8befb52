"""A fitted forecaster with the history that it continues, and what is made of its forecasts."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..preparation.panel import Panel
from ..problem.series import PERIOD, SERIES
from .forecasters.naive import usual_change


class ForecastModel(BaseEstimator):
    """What is stored of a forecasting model.

    Parameters
    ----------
    forecaster
        Fitted.

    Attributes
    ----------
    names_, start_, values_, known_
        The history, see `Panel`; its gaps are not filled.
    """

    def __init__(self, forecaster: Any) -> None:
        self.forecaster = forecaster

    def set_history(self, panel: Panel) -> Self:
        """Set the history that is continued."""
        self.names_ = np.array(panel.names, dtype=str)
        self.start_ = panel.start
        self.values_ = panel.history
        self.known_ = panel.known
        return self

    def panel(self) -> Panel:
        """Return the history."""
        return Panel(self.names_.tolist(), self.start_, self.values_, self.known_)


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


def add_true(forecasts: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Return the forecasts whose true value a panel knows, with ``true``."""
    series = pd.Index(panel.names).get_indexer(forecasts[SERIES])
    true = panel.history[series, forecasts[PERIOD] - panel.start]
    return forecasts.assign(true=true)[~np.isnan(true)]


def add_intervals(forecasts: pd.DataFrame, decision: dict[str, Any]) -> pd.DataFrame:
    """Return forecasts with ``low`` and ``high``, by ``prediction``, ``scale`` and ``step``."""
    steps = forecasts["step"].to_numpy() - 1
    ends = {
        name: forecasts["prediction"] + forecasts["scale"] * np.array(decision[name])[steps]
        for name in ("low", "high")
    }
    return forecasts.assign(**ends)
