"""The tables of project.toml that say how series are read, prepared and split."""

from typing import Literal

from pydantic import Field

from .settings import Kind, Table


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
