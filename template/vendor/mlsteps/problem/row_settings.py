"""The tables of project.toml that say how rows are read, prepared and split."""

from typing import Literal

from pydantic import Field

from .settings import Kind, Table


class Columns(Table):
    """``[columns]``: what the columns are."""

    id: list[str] = []
    date: str = ""
    group: str = ""
    series: Literal[""] = ""
    unknown_at_prediction: list[str] = []
    drop: list[str] = []
    kinds: dict[str, Kind] = {}

    def named(self) -> dict[str, list[str]]:
        """Return the columns that each key names."""
        return {
            "[columns] date": [self.date] if self.date else [],
            "[columns] group": [self.group] if self.group else [],
            "[columns] id": self.id,
            "[columns] unknown_at_prediction": self.unknown_at_prediction,
            "[columns] drop": self.drop,
            "[columns.kinds]": list(self.kinds),
        }

    def roles(self) -> dict[str, str]:
        """Say of each column that is named what it is for."""
        return (
            {self.date: "input, date of the row"}
            | dict.fromkeys(self.drop, "dropped")
            | dict.fromkeys(self.unknown_at_prediction, "unknown at prediction")
            | dict.fromkeys(self.id, "id")
            | {self.group: "group"}
        )

    def identity(self) -> list[str]:
        """Return the columns that alone tell whether two rows are the same: there are none."""
        return []

    def not_features(self) -> list[str]:
        """Return the columns that the definition keeps away from the model."""
        group = [self.group] if self.group else []
        return [*self.id, *group, *self.unknown_at_prediction, *self.drop]


class Split(Table):
    """``[split]``: how the test set is taken."""

    by: Literal["auto", "random", "group", "date", "none"] = "auto"
    test_share: float = Field(default=0.2, gt=0, lt=1)
    newest_rows: int = Field(default=0, ge=0)

    def agree_with(self, columns: Columns) -> None:
        """Raise a ValueError if rows cannot be split like this."""
        for key in ("date", "group"):
            if self.by == key and not getattr(columns, key):
                raise ValueError(f'[split] by is "{key}", but [columns] {key} names no column')

    def chosen(self, columns: Columns, plain: str) -> str:
        """Return how the test set is taken, with ``auto`` resolved."""
        if self.by != "auto":
            return self.by
        return "date" if columns.date else "group" if columns.group else plain


class Preparation(Table):
    """``[preparation]``: how columns become numbers."""

    scaling: Literal["standard", "min-max", "none"] = "standard"
    clip_share: float = Field(default=0.0, ge=0, lt=0.5)
    rare_share: float = Field(default=0.01, ge=0, lt=1)
