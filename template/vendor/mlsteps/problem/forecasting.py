"""What is particular to forecasting: its tables of project.toml, target, metrics and baselines."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from . import settings
from .metric import HIGHER, LOWER, coverage, mae, mape, metric_table, rmse
from .settings import Kind, Supervised, Table


class Problem(Supervised):
    """``[problem]``: what is forecast, how far ahead, and what is good enough."""

    target_kind: ClassVar[Kind] = "number"
    plain_split: ClassVar[str] = "date"
    of_series: ClassVar[bool] = True
    PURPOSE: ClassVar[str] = "forecast `{problem.target}`, with a horizon of {problem.horizon}"

    type: Literal["forecasting"]
    #: what the model has to beat, on the same dates in 80 % of resamples
    baseline: Literal["seasonal_naive", "drift"]
    horizon: int = Field(ge=1)  #: how many periods ahead
    #: what a period is: Y, Q, M, W, D, B, h, min or s, also with a number before it (15min); auto:
    #: the dates tell
    frequency: str = Field(default="auto", pattern=r"^(auto|\d*(Y|Q|M|W|D|B|h|min|s))$")
    #: how many periods a season has, 52.18 say, or several as in [48, 336]; 1: there is none; auto:
    #: the values tell
    season: Literal["auto"] | int | float | list[float] = "auto"

    def given_seasons(self) -> list[float] | None:
        """Return the seasons that are named, the shortest first; None if they are to be found."""
        if self.season == "auto":
            return None
        named = self.season if isinstance(self.season, list) else [self.season]
        return sorted({season for season in named if season > 1})

    def held_in_pairs(self) -> tuple[str, ...]:
        """Return the baselines that the gate leaves to a check of pairs: all."""
        return ("seasonal_naive", "drift")


class Columns(settings.Columns):
    """``[columns]``: what the columns are."""

    date: str = Field(min_length=1)  #: the column with the period that a value belongs to

    def identity(self) -> list[str]:
        """Return the columns that alone tell whether two rows are the same."""
        return [self.date, *self.series_names()]


class Split(Table):
    """``[split]``: how many horizons at the end are kept for the test, and where history begins."""

    #: how many horizons at the end are kept for the test, and forecast one after another; auto: a
    #: fifth of the longest history, if half of the series can spare it, and 20 horizons at most
    test_horizons: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    #: only so many of the newest periods are used, to learn from and to test; 0: all
    newest_periods: int = Field(default=0, ge=0)
    #: where more were collected, only about so many rows are used: those of whole series, chosen by
    #: a hash of their labels; 0: all
    sample_rows: int = Field(default=0, ge=0)

    def least_horizons(self) -> int:
        """Return how many horizons each series has to have for the test."""
        return 1 if self.test_horizons == "auto" else self.test_horizons


class Preparation(Table):
    """``[preparation]``: what becomes of dates that are missing or stand there twice."""

    #: what dates without a value become, for training; they are never scored
    gaps: Literal["interpolate", "previous", "zero", "refuse"] = "interpolate"
    #: what several values of one series and period become
    duplicates: Literal["refuse", "sum", "mean", "last"] = "refuse"
    #: what becomes of series too short for training, backtest and test
    short: Literal["refuse", "drop"] = "refuse"


class Evaluation(Table):
    """``[evaluation]``: how wide the intervals are, and which series are shown."""

    #: the share of true values that should lie between low and high
    interval: float = Field(default=0.9, ge=0.5, lt=1)
    shown_series: list[str] = []  #: what the report draws; ``[]``: some from the best to the worst


def arrays(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return what the metrics take, each with one entry for a series and date."""
    columns = predictions.reindex(columns=["prediction", "low", "high", "scale"])
    return (target.to_numpy(dtype=float), *columns.to_numpy(dtype=float).T)


def _mase(true: np.ndarray, predicted: np.ndarray, *others: np.ndarray) -> float:
    """Return the mean absolute scaled error (Hyndman and Koehler, 2006).

    Below 1, errors are smaller than what a season differs from the one before.
    """
    return float(np.mean(np.abs(true - predicted) / others[-1]))


METRICS = metric_table(
    arrays,
    ("mase", _mase, LOWER, "MASE"),
    ("mape", mape, LOWER, "MAPE"),
    ("rmse", rmse, LOWER, "RMSE"),
    ("mae", mae, LOWER, "MAE"),
    ("coverage", coverage, HIGHER, "Coverage of the interval", False),
)


def suggest_problem(rows: int, target: pd.Series) -> dict[str, tuple[Any, str]]:
    """Return the metric and the baseline for new data, each with its reason."""
    return {"metric": ("mase", ""), "baseline": ("seasonal_naive", "")}
