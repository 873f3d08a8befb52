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
    if not re.fullmatch(r"none|local|gateway|env:\w+|(tcp|tls|wss?)://\S+", value):
        raise ValueError(
            f'[compute] scheduler is "{value}"; allowed: none, local, gateway, an address like '
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

    type: str  #: the one that the project holds the code for; ``copier update`` changes it
    #: the column of labels that are known, ``""`` if there is none; clusters are only held to it
    target: str = ""
    metric: str  #: what candidates are chosen by
    #: what the metric has to reach on the test set, an upper limit where less is better; "none":
    #: better than the baseline is enough
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

    target: str = Field(min_length=1)  #: the column to predict
    baseline: str  #: what the model has to beat: the whole 95 % interval must be better


class Unsupervised(Goal):
    """What stands in ``[problem]`` where nothing is predicted: known labels only score a model."""

    needs_target: ClassVar[bool] = False
    plain_split: ClassVar[str] = "none"


class RowEvaluation(Table):
    """``[evaluation]`` of rows: which slices are looked at."""

    #: columns that are evaluated value by value; ``[]``: up to 8 categories with 2 to 10 labels
    slices: list[str] = []


class Columns(Table):
    """``[columns]``: what the columns are."""

    id: list[str] = []  #: columns that name a row; not seen by the model
    #: the column that says when a row happened; in clustering and anomaly_detection it splits the
    #: rows and is no input
    date: str = ""
    group: str = ""  #: the column whose values keep rows together in a split; not seen by the model
    #: the columns that tell series apart, for forecasting only; ``""``: there is one
    series: str | list[str] = ""
    #: columns that are filled only after the prediction is needed; not seen by the model
    unknown_at_prediction: list[str] = []
    drop: list[str] = []  #: columns that are left out for any other reason
    #: of columns: number, category, date, text, or how dates are written, such as "%m/%d/%Y"; of
    #: others it is inferred from the training rows
    kinds: dict[str, Stated] = {}

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

    #: auto: by date if ``[columns] date`` is set, else by group if that is set, else random
    #: (stratified for classes), or none where nothing is predicted; none: all rows are for training
    #: and for evaluation, and anomalies are scored by models that have not seen the row
    by: Literal["auto", "random", "group", "date", "none"] = "auto"
    test_share: float = Field(default=0.2, gt=0, lt=1)  #: of the rows, for the test
    #: only so many of the newest rows are used, for training and test together; 0: all
    newest_rows: int = Field(default=0, ge=0)
    #: where more were collected, only about so many rows are used, chosen by a hash of the row, or
    #: of its group, so that groups stay whole; 0: all
    sample_rows: int = Field(default=0, ge=0)
    #: one more candidate, ``all_rows``, learns from the rows outside of the sample as well: it is
    #: the mean of the best other's fits to each part of them; where a target is predicted
    all_rows: bool = False


class Preparation(Table):
    """``[preparation]``: how columns become numbers, and which equal rows are one."""

    #: of numbers; auto: standard, but columns that have one unit are divided by one number
    scaling: Literal["standard", "auto", "min-max", "none"] = "standard"
    #: numbers beyond this share at each end are pulled in to it; 0: never
    clip_share: float = Field(default=0.0, ge=0, lt=0.5)
    #: rarer labels of a category share one column with those never seen; where a feature has more
    #: than 50 and there is a target, each label is encoded as the mean target of its rows instead
    rare_share: float = Field(default=0.01, ge=0, lt=1)
    repetitions: Literal["auto", "keep", "drop"] = "auto"  #: what becomes of equal rows


class Search(Table):
    """``[search]``: how settings of the candidates are looked for."""

    #: how settings are looked for; random: tries ``iterations`` of them; budget: random ones until
    #: ``budget_seconds`` are up; grid: all; none: the defaults only
    method: Literal["random", "grid", "budget", "none"] = "random"
    #: random: how many settings of each candidate beside its default
    iterations: int = Field(default=5, ge=1)
    #: of the search: no fit is started that would not end within it; the fit of the best to all
    #: rows, and those of ``all_rows``, come after it
    budget_seconds: float = Field(default=600, gt=0)
    folds: int = Field(default=5, ge=2)  #: of cross-validation, or origins of a backtest
    seed: int = Field(default=0, ge=0, lt=2**32)  #: of all that is drawn at random


class Compute(Table):
    """``[compute]``: the Dask cluster that trials run on; without the table, on this machine."""

    #: the Dask cluster whose workers run the trials and score the files of a folder: "none";
    #: "local", one that is started here each time; "gateway", one that Dask Gateway starts each
    #: time; or the address of its scheduler, ``tcp://host:8786`` say (or ``tls://``, ``ws://``,
    #: ``wss://``), or ``env:NAME``
    scheduler: Scheduler = "none"
    workers: int = Field(default=2, ge=1)  #: local and gateway: how many are started
    #: local: of each worker; so many trials run in it at a time
    threads: int = Field(default=1, ge=1)
    #: local: of each worker, "2GiB" say; one that takes more is ended by Dask; auto: an equal share
    memory: Memory = "auto"


class Models(Table):
    """``[models]``: which candidates are tried."""

    #: names of ``CANDIDATES`` in ``modeling/candidates/<type>.py``, tried in this order; for a
    #: target also ``ensemble``; anomaly_detection without labels takes the first
    candidates: list[str] = Field(min_length=1)


class Constraints(Table):
    """``[constraints]``: what a model may cost."""

    #: of the final fit; a fifth more is allowed, and what its thread waited for other programs does
    #: not count, but all does where other threads or processes work for it (``n_jobs``)
    train_seconds: float = Field(gt=0)
    model_megabytes: float = Field(gt=0)  #: of ``model.skops``
    #: of the processor for one row, or for the forecast of one series: the best of five turns; a
    #: fifth more is allowed
    predict_milliseconds: float = Field(gt=0)


class Serving(Table):
    """``[serving]``: the service and its log of predictions."""

    host: str = "127.0.0.1"  #: "0.0.0.0" is reached from other machines
    port: int = Field(default=8000, ge=0, le=65535)  #: 0: a free one
    #: where predictions are logged: a SQLAlchemy URL without a password, or ``env:NAME``; a
    #: relative path of SQLite begins at the project
    log: str = "sqlite:///predictions.db"
    log_files: bool = False  #: whether rows that ``predict`` scores are logged as well
    #: whether ``predict`` writes ' before texts and names of columns in CSV that Excel would take
    #: for formulas
    escape_formulas: bool = False
    max_rows: int = Field(default=1000, ge=1)  #: in one request
    #: in one request that asks for reasons; not where series are forecast
    max_explained_rows: int = Field(default=10, ge=1)
    max_megabytes: float = Field(default=5, gt=0)  #: of one request
    #: for which a request waits for its predictions; then the response is 503
    max_seconds: float = Field(default=30, gt=0)
    api_keys: str = ""  #: ``env:NAME``: where the keys of callers are; ``""``: they need none
    #: names or addresses by which callers may reach the service, ["*"]: any; ``[]``: those of this
    #: machine while ``host`` is one of them, else any
    allowed_hosts: list[Host] = []
    cors: list[Origin] = []  #: web sites whose pages may ask, like "https://shop.example.org"
    page: bool = True  #: whether ``/`` is a page
    docs: bool = True  #: whether there are ``/docs`` and ``/openapi.json``


class Improvement(Table):
    """``[improvement]``: when to raise an alarm and when to change the champion.

    Its attributes are the keys of the table, which project.toml describes.

    Examples
    --------
    >>> Improvement(every_days=1).window
    1000
    """

    #: where runs are recorded beside ``models/`` and ``reports/``: nowhere else, or in MLflow,
    #: which ``copier update --data tracking=mlflow`` installs
    tracking: Literal["json", "mlflow"] = "json"
    #: a file or URL with the true labels or values of predictions, in columns ``id`` and
    #: ``actual``; with a query, a SQLAlchemy URL or ``env:NAME``
    labels: str = ""
    labels_query: str = ""  #: the SQL that gives these columns
    #: how many of the newest predictions ``monitor`` looks at
    window: int = Field(default=1000, ge=1)
    minimum_rows: int = Field(default=100, ge=1)  #: with fewer, ``monitor`` says nothing
    #: how often ``monitor`` may raise an alarm when nothing has changed, all columns and the errors
    #: together; 1 minus this is what a rollback needs
    false_alarm_rate: float = Field(default=0.01, gt=0, lt=1)
    #: when ``improve`` trains a challenger, any of: always, drift, decay, schedule, labels, or a
    #: reason of your own in ``improvement/policy.py``
    retrain: list[str] = ["always"]
    every_days: float = Field(default=7, gt=0)  #: schedule: days since the last training
    new_labels: int = Field(default=500, ge=1)  #: labels: how many came since then
    #: how much of the metric a challenger must be better by, or a predecessor for a rollback
    margin: float = Field(default=0.0, ge=0)
    #: in which share of bootstrap resamples a challenger must be
    confidence: float = Field(default=0.8, ge=0.5, lt=1)
    #: how many predictions in the shadow of the champion must have true labels or values before a
    #: promotion; 0: it is promoted at once
    shadow_rows: int = Field(default=0, ge=0)
    #: older versions are deleted, but never the champion, its predecessor or the challenger
    keep_versions: int = Field(default=10, ge=1)
