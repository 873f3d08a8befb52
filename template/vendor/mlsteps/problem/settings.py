"""The tables of project.toml that every problem type has."""

import re
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["number", "category", "date", "text"]
Stated = Annotated[str, Field(pattern=r"^(number|category|date|text|.*%[a-zA-Z].*)$")]
Origin = Annotated[str, Field(pattern=r"^https?://[^/*\s]+$")]  # of a web site, as browsers send it
Host = Annotated[str, Field(pattern=r"^(\*|[a-z0-9._-]+|[0-9a-f:]+)$")]  # as a URL names it

Memory = Annotated[str, Field(pattern=r"^(auto|[0-9.]+ ?[kMGT]i?B)$")]


def _scheduler(value: str) -> str:
    if not re.fullmatch(r"none|local|env:\w+|(tcp|tls|wss?)://\S+", value):
        raise ValueError(
            f'[compute] scheduler is "{value}"; allowed: none, local, an address like '
            "tcp://host:8786 (or tls://, ws://, wss://), or env:NAME"
        )
    return value


Scheduler = Annotated[str, AfterValidator(_scheduler)]


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | bool) else value


Label = Annotated[str, BeforeValidator(_text)]  # of a class: 1 and true are written as text


class Table(BaseModel):
    """A table of project.toml: unknown keys are errors, and nothing changes after reading.

    Types are strict: "5" is no number, and neither is true.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Goal(Table):
    """What every ``[problem]`` has."""

    target_kind: ClassVar[Kind] = "category"
    learns_from_feedback: ClassVar[bool] = True  # whether feedback is a value of the target
    needs_target: ClassVar[bool] = True  # whether a row without one is of no use
    plain_split: ClassVar[str] = "random"  # of rows without a date and a group
    of_series: ClassVar[bool] = False  # whether rows are dates of series
    TASK: ClassVar[str]  # sentences: what is to be done,
    PURPOSE: ClassVar[str]  # what a model is for,
    RIVAL: ClassVar[str]  # and what it has to be clearly better than

    type: str
    target: str = ""
    metric: str
    minimum: float | Literal["none"] = "none"

    def purpose(self) -> str:
        """Return what a model is for, as the end of a sentence."""
        return self.PURPOSE.format(problem=self)

    def as_target(self, values: pd.Series) -> pd.Series:
        """Return values of the target as they are known from here on: as they are."""
        return values

    def learns_from(self, target: pd.Series) -> np.ndarray:
        """Return which rows are for training: all."""
        return np.ones(len(target), dtype=bool)

    def held_in_pairs(self) -> tuple[str, ...]:
        """Return the baselines that the gate leaves to a check of pairs: none."""
        return ()

    def chosen_by(self, target: pd.Series) -> str:
        """Return the metric that candidates are compared by; "" if nothing tells."""
        return self.metric

    def always_tried(self) -> dict[str, list[Any]]:
        """Return what every candidate that takes it is tried with, whatever its settings."""
        return {}


class Supervised(Goal):
    """What stands in ``[problem]`` where a target is predicted."""

    TASK: ClassVar[str] = 'Predict "{problem.target}", {target}, from {columns} of {rows}.'
    PURPOSE: ClassVar[str] = "predict `{problem.target}`"
    RIVAL: ClassVar[str] = 'the baseline "{problem.baseline}"'

    target: str = Field(min_length=1)
    baseline: str


class Unsupervised(Goal):
    """What stands in ``[problem]`` where nothing is predicted: known labels only score a model."""

    needs_target: ClassVar[bool] = False
    plain_split: ClassVar[str] = "none"


class RowEvaluation(Table):
    """``[evaluation]`` of rows: which slices are looked at."""

    slices: list[str] = []


class Columns(Table):
    """``[columns]``: what the columns are."""

    id: list[str] = []
    date: str = ""
    group: str = ""
    series: str | list[str] = ""
    unknown_at_prediction: list[str] = []
    drop: list[str] = []
    kinds: dict[str, Stated] = {}  # a kind, or how dates are written

    def named(self) -> dict[str, list[str]]:
        """Return the columns that each key names."""
        found = {key: [value] if isinstance(value, str) else list(value) for key, value in self}
        return {key: names for key, names in found.items() if names != [""]}

    def date_written(self) -> str:
        """Return the format of the date where it is given, else that it is a date."""
        stated = self.kinds.get(self.date, "")
        return stated if "%" in stated else "date"

    def series_names(self) -> list[str]:
        """Return the columns that tell the series apart."""
        return self.named().get("series", [])

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


class Preparation(Table):
    """``[preparation]``: how columns become numbers, and which equal rows are one."""

    scaling: Literal["standard", "auto", "min-max", "none"] = "standard"
    clip_share: float = Field(default=0.0, ge=0, lt=0.5)
    rare_share: float = Field(default=0.01, ge=0, lt=1)
    repetitions: Literal["auto", "keep", "drop"] = "auto"


class Search(Table):
    """``[search]``: how settings of the candidates are looked for."""

    method: Literal["random", "grid", "budget", "none"] = "random"
    iterations: int = Field(default=5, ge=1)
    budget_seconds: float = Field(default=600, gt=0)
    folds: int = Field(default=5, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**32)


class Compute(Table):
    """``[compute]``: the Dask cluster that trials run on; without the table, on this machine."""

    scheduler: Scheduler = "none"
    workers: int = Field(default=2, ge=1)
    threads: int = Field(default=1, ge=1)
    memory: Memory = "auto"


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
    escape_formulas: bool = False
    max_rows: int = Field(default=1000, ge=1)
    max_explained_rows: int = Field(default=10, ge=1)
    max_megabytes: float = Field(default=5, gt=0)
    max_seconds: float = Field(default=30, gt=0)
    api_keys: str = ""
    allowed_hosts: list[Host] = []
    cors: list[Origin] = []
    page: bool = True
    docs: bool = True


class Improvement(Table):
    """``[improvement]``: when to raise an alarm and when to change the champion.

    Its attributes are the keys of the table, which project.toml describes.

    Examples
    --------
    >>> Improvement(every_days=1).window
    1000
    """

    tracking: Literal["json", "mlflow"] = "json"
    labels: str = ""
    labels_query: str = ""
    window: int = Field(default=1000, ge=1)
    minimum_rows: int = Field(default=100, ge=1)
    false_alarm_rate: float = Field(default=0.01, gt=0, lt=1)
    retrain: list[str] = ["always"]  # names of reasons in the project's improvement/policy.py
    every_days: float = Field(default=7, gt=0)
    new_labels: int = Field(default=500, ge=1)
    margin: float = Field(default=0.0, ge=0)
    confidence: float = Field(default=0.8, ge=0.5, lt=1)
    shadow_rows: int = Field(default=0, ge=0)
    keep_versions: int = Field(default=10, ge=1)
