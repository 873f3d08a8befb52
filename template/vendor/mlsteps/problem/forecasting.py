"""What is particular to forecasting: its tables of project.toml, target, metrics and baselines."""

from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from .metric import Metric, coverage, mae, mape, rmse
from .regression import check_quantity, describe_quantity
from .settings import UNKNOWN_BAR, Kind, Supervised, Table


class Problem(Supervised):
    """``[problem]``: what is forecast, how far ahead, and what is good enough."""

    target_kind: ClassVar[Kind] = "number"
    plain_split: ClassVar[str] = "date"
    of_series: ClassVar[bool] = True

    type: Literal["forecasting"]
    baseline: Literal["seasonal_naive", "drift"]
    horizon: int = Field(ge=1)
    frequency: str = Field(default="auto", pattern=r"^(auto|\d*(Y|Q|M|W|D|B|h|min|s)(-[A-Z]{3})?)$")
    season: Literal["auto"] | int = "auto"

    def purpose(self) -> str:
        """Return what a model is for, as the end of a sentence."""
        return f"forecast `{self.target}` up to {self.horizon} periods ahead"


class Columns(Table):
    """``[columns]``: what the columns are."""

    id: list[str] = []
    date: str = Field(min_length=1)
    group: Literal[""] = ""
    series: str | list[str] = ""
    unknown_at_prediction: list[str] = []
    drop: list[str] = []
    kinds: dict[str, Kind] = {}

    def series_names(self) -> list[str]:
        """Return the columns that tell the series apart."""
        return [self.series] if isinstance(self.series, str) and self.series else list(self.series)

    def named(self) -> dict[str, list[str]]:
        """Return the columns that each key names."""
        return {
            "[columns] date": [self.date],
            "[columns] series": self.series_names(),
            "[columns] id": self.id,
            "[columns] unknown_at_prediction": self.unknown_at_prediction,
            "[columns] drop": self.drop,
            "[columns.kinds]": list(self.kinds),
        }

    def roles(self) -> dict[str, str]:
        """Say of each column that is named what it is for."""
        return (
            dict.fromkeys(self.drop, "dropped")
            | dict.fromkeys(self.unknown_at_prediction, "unknown ahead of time")
            | dict.fromkeys(self.id, "id")
            | dict.fromkeys(self.series_names(), "tells the series apart")
            | {self.date: "date"}
        )

    def identity(self) -> list[str]:
        """Return the columns that alone tell whether two rows are the same."""
        return [self.date, *self.series_names()]

    def not_features(self) -> list[str]:
        """Return the columns that the definition keeps away from the model."""
        return [*self.id, *self.unknown_at_prediction, *self.drop]


class Split(Table):
    """``[split]``: how many horizons at the end are kept for the test, and where history begins."""

    test_horizons: int = Field(default=1, ge=1)
    newest_periods: int = Field(default=0, ge=0)

    def agree_with(self, columns: Columns) -> None:
        """Raise a ValueError if a column has two meanings."""
        for name in columns.series_names():
            if name in [columns.date, *columns.not_features()]:
                raise ValueError(
                    f'[columns] series names "{name}", which stands in [columns] for something '
                    "else as well; take it out of there"
                )

    def chosen(self, columns: Columns, plain: str) -> str:
        """Return how the test set is taken: it is the newest dates."""
        return "date"


class Preparation(Table):
    """``[preparation]``: what becomes of dates that are missing or stand there twice."""

    gaps: Literal["interpolate", "previous", "zero", "refuse"] = "interpolate"
    duplicates: Literal["refuse", "sum", "mean", "last"] = "refuse"
    short: Literal["refuse", "drop"] = "refuse"


class Evaluation(Table):
    """``[evaluation]``: how wide the intervals are, and which series are shown."""

    interval: float = Field(default=0.9, ge=0.5, lt=1)
    shown_series: list[str] = []


def arrays(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return what the metrics take, each with one entry for a series and date."""
    if "scale" not in predictions:  # as it was called in the prediction log before
        predictions = predictions.rename(columns={"unit": "scale"})
    columns = predictions.reindex(columns=["prediction", "low", "high", "scale"])
    return (target.to_numpy(dtype=float), *columns.to_numpy(dtype=float).T)


def _mase(
    true: np.ndarray, predicted: np.ndarray, low: np.ndarray, high: np.ndarray, scale: np.ndarray
) -> float:
    """Return the mean absolute scaled error (Hyndman and Koehler, 2006).

    Below 1, errors are smaller than what a season differs from the one before.
    """
    return float(np.mean(np.abs(true - predicted) / scale))


METRICS = {
    "mase": Metric(_mase, higher_is_better=False, title="MASE", arrays=arrays),
    "mape": Metric(mape, higher_is_better=False, title="MAPE", arrays=arrays),
    "rmse": Metric(rmse, higher_is_better=False, title="RMSE", arrays=arrays),
    "mae": Metric(mae, higher_is_better=False, title="MAE", arrays=arrays),
    "coverage": Metric(
        coverage,
        higher_is_better=True,
        title="Coverage of the interval",
        selects=False,
        arrays=arrays,
    ),
}


def suggest_problem(rows: int, target: pd.Series) -> dict[str, tuple[Any, str]]:
    """Return the metric and the bar for new data, each with its reason."""
    return {
        "metric": ("mase", ""),
        "baseline": ("seasonal_naive", ""),
        "minimum": (1.0, UNKNOWN_BAR),
    }


def check_target(target: pd.Series, problem: Problem, folds: int) -> str:
    """Check that the target can be forecast, and describe it in a sentence."""
    return describe_quantity(check_quantity(target, problem))
