"""What came of the test."""

import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

from ..errors import UserError
from ..modeling.parallel import few_threads
from ..preparation.schema import Schema
from ..problem.definition import Definition
from ..problem.metric import Metric
from ..report import counted
from .bootstrap import Measured
from .gate import Check

# What the rows of the test are. Only the first are new to the model itself.
UNSEEN, SEEN = "the test set", "all rows"
OUT_OF_FOLD = "all rows, each by a model that has not seen it"
TURNS = 5  # in which predictions are timed


@dataclass(frozen=True)
class TestResult:
    """What a model predicted of the test set, and how good that was.

    Attributes
    ----------
    target : Series of (n,)
        True values.
    predictions, features : DataFrame of n rows
        The predictions, and what they were made from.
    schema : Schema
        The columns of the model.
    definition : Definition
        What project.toml says.
    metric : Metric
        The one that [problem] metric names.
    costs : dict of str to float
        What the model takes, under the keys of [constraints].
    rows : int
        How many predictions were scored.
    measured : dict of str to dict
        Each metric with its interval: ``value``, ``low`` and ``high``.
    baselines : dict of str to dict
        The metrics of each baseline on the same rows.
    checks : list of Check
        What the gate needs beyond the metrics and the costs: whether there are rows enough, say.
    outcome : dict of str to object
        Key figures in words.
    slices, importance : list of dict
        The metric on parts of the test set, and what was lost without each feature.
    loss : str
        What `importance` is the loss of.
    plots, tables : list of str
        Sections for the report.
    tested_on : str
        What the rows were, in words.

    Examples
    --------
    A check of the gate finds the errors of a class, and says how many they are:

    >>> def few_missed(result):
    ...     bad = result.target == "bad"
    ...     missed = (result.predictions.loc[bad, "prediction"] != "bad").mean()
    ...     return Check(missed < 0.2, f"{missed:.0%} are missed; at most 20% may be")
    """

    __test__: ClassVar[bool] = False  # no test of pytest, whatever its name

    target: pd.Series
    predictions: pd.DataFrame
    features: pd.DataFrame
    schema: Schema
    definition: Definition
    metric: Metric
    costs: dict[str, float]
    rows: int
    measured: Measured
    baselines: dict[str, dict[str, float]]
    checks: list[Check]
    outcome: dict[str, object]
    slices: list[dict[str, Any]]
    importance: list[dict[str, Any]]
    loss: str
    plots: list[str]
    tables: list[str] = field(default_factory=list)
    tested_on: str = UNSEEN

    @property
    def score(self) -> dict[str, float]:
        """The metric of [problem] metric with its interval: value, low and high."""
        return self.measured[self.definition.problem.metric]


def tested_rows(tested_on: str, rows: int) -> str:
    """Say how many rows were tested on, and whether the model had seen them."""
    seen = {
        UNSEEN: " that no model has seen",
        SEEN: ", to which the model was fitted as well",
        OUT_OF_FOLD: ", each predicted by a model of the search that has not seen it",
    }
    return f"{counted(rows, 'row')}{seen[tested_on]}"


def check_defined(measured: Measured, rows: int, definition: Definition) -> None:
    """Check that the metric of the definition could be measured."""
    if definition.problem.metric not in measured:
        raise UserError(
            f"[problem] metric {definition.problem.metric} is not defined on the {rows:,} "
            "test rows; choose another, or change [split]."
        )


def costs_of(run: dict[str, Any], predict: Callable[[], object], times: int) -> dict[str, float]:
    """Return what a model takes, under the keys of [constraints]; `predict` is timed.

    The processor's time of the best of some turns counts: what else the machine does costs none.
    """
    with few_threads(1):
        seconds = timeit.repeat(predict, timer=time.process_time, number=times, repeat=TURNS)
    return {
        "train_seconds": run["fit_seconds"],
        "model_megabytes": run["model_megabytes"],
        "predict_milliseconds": 1000 * min(seconds) / times,
    }
