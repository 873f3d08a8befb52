"""The tables of project.toml that every problem type has."""

import re
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["number", "category", "date", "text"]
Labels = Literal["columns", "codes"]  # how an estimator is given those of a category


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | bool) else value


Label = Annotated[str, BeforeValidator(_text)]  # of a class: 1 and true are written as text


def _origin(value: str) -> str:
    if not re.fullmatch(r"https?://[^/*\s]+", value):
        raise ValueError(
            f'[serving] cors has "{value}"; write a site as browsers do, like "https://shop.example"'
        )
    return value


Origin = Annotated[str, AfterValidator(_origin)]


class Table(BaseModel):
    """A table of project.toml: unknown keys are errors, and nothing changes after reading.

    Types are strict: "5" is no number, and neither is true.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Goal(Table):
    """What every ``[problem]`` can be asked, whatever its type.

    Attributes
    ----------
    target_kind
        What the target is: a category or a number.
    learns_from_feedback
        Whether what comes back as feedback is a value of the target.
    needs_target
        Whether a row without one is of no use.
    plain_split
        How the test set is taken of rows without a date and a group.
    of_series
        Whether rows are dates of series.
    """

    target_kind: ClassVar[Kind] = "category"
    learns_from_feedback: ClassVar[bool] = True
    needs_target: ClassVar[bool] = True
    plain_split: ClassVar[str] = "random"
    of_series: ClassVar[bool] = False

    type: str
    target: str
    metric: str
    minimum: float

    def agree_with(self, split_by: str) -> None:
        """Raise a ValueError if the rows must not be split like this: they may, in any way."""

    def as_target(self, values: pd.Series) -> pd.Series:
        """Return values of the target as they are known from here on: as they are."""
        return values

    def learns_from(self, target: pd.Series) -> np.ndarray:
        """Return which rows are learnt from: all."""
        return np.ones(len(target), dtype=bool)

    def held_in_pairs(self) -> tuple[str, ...]:
        """Return the baselines that the gate leaves to a check of pairs: none."""
        return ()

    def always_tried(self) -> dict[str, list[Any]]:
        """Return what every candidate that takes it is tried with, whatever its settings."""
        return {}


class Search(Table):
    """``[search]``: how settings of the candidates are looked for."""

    method: Literal["random", "grid", "none"] = "random"
    iterations: int = Field(default=5, ge=1)
    budget_seconds: float = Field(default=600, gt=0)
    folds: int = Field(default=5, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**32)


class Models(Table):
    """``[models]``: which candidates are tried."""

    candidates: list[str] = Field(min_length=1)


class Constraints(Table):
    """``[constraints]``: what a model may cost."""

    train_seconds: float = Field(gt=0)
    model_megabytes: float = Field(gt=0)
    predict_milliseconds: float = Field(gt=0)


class Serving(Table):
    """``[serving]``: the service and its log of predictions."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    log: str = "sqlite:///predictions.db"
    log_files: bool = False
    max_rows: int = Field(default=1000, ge=1)
    max_megabytes: float = Field(default=5, gt=0)
    max_seconds: float = Field(default=30, gt=0)
    api_keys: str = ""
    cors: list[Origin] = []
    page: bool = True
    docs: bool = True


class Improvement(Table):
    """``[improvement]``: when to raise an alarm and when to change the champion."""

    tracking: Literal["json", "mlflow"] = "json"
    truth: str = ""
    truth_query: str = ""
    window: int = Field(default=1000, ge=1)
    minimum_rows: int = Field(default=100, ge=1)
    false_alarm_rate: float = Field(default=0.01, gt=0, lt=1)
    retrain: list[Literal["always", "drift", "decay", "schedule", "labels"]] = ["always"]
    every_days: float = Field(default=7, gt=0)
    new_labels: int = Field(default=500, ge=1)
    margin: float = Field(default=0.0, ge=0)
    confidence: float = Field(default=0.8, ge=0.5, lt=1)
    shadow_rows: int = Field(default=0, ge=0)
    keep_versions: int = Field(default=10, ge=1)
