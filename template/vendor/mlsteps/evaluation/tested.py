"""What came of the test."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..errors import UserError
from ..preparation.schema import Schema
from ..problem.columns import column_of
from ..problem.definition import Definition
from ..problem.metric import Metric
from .bootstrap import Measured
from .gate import Check

UNSEEN, LEARNT = "the test set", "all rows"  # what was judged; the second was learnt from as well
CROSSED = "all rows, each by a model that has not seen it"


@dataclass(frozen=True)
class TestResult:
    """What a model answered on the test set, and how good that was.

    Attributes
    ----------
    target : Series of (n,)
        True values.
    answers, features : DataFrame of n rows
        The predictions, and what they were made from.
    metric
        The one that [problem] metric names.
    costs
        What the model takes, under the keys of [constraints].
    rows
        How many answers could be judged.
    measured
        Each metric with its interval.
    baselines
        The metrics of each baseline on the same rows.
    on
        What the rows were, in words.
    checks
        What the gate is told beside the metrics and the costs.
    outcome
        Key figures in words.
    slices, importance
        The metric on parts of the test set, and what was lost without each feature, with `loss`
        saying of what.
    plots, further
        Figures for the report, and other sections.
    """

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
    further: list[str] = field(default_factory=list)
    on: str = UNSEEN

    @property
    def result(self) -> dict[str, float]:
        """The metric with its interval: value, low and high."""
        return self.measured[self.definition.problem.metric]


def check_defined(measured: Measured, rows: int, definition: Definition) -> None:
    """Check that the metric of the definition could be measured.

    Raises
    ------
    UserError
        If the test rows do not define it.
    """
    if definition.problem.metric not in measured:
        raise UserError(
            f"[problem] metric {definition.problem.metric} is not defined on the {rows:,} "
            "test rows; choose another, or change [split]."
        )


def costs_of(run: dict[str, Any], milliseconds: float) -> dict[str, float]:
    """Return what a model takes, under the keys of [constraints]."""
    return {
        "train_seconds": run["fit_seconds"],
        "model_megabytes": run["model_megabytes"],
        "predict_milliseconds": milliseconds,
    }


def features_and_target(rows: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.Series]:
    """Part prepared rows into what the model sees and the target, missing where there is none."""
    names = [column.name for column in schema.features]
    return rows[names], column_of(rows, schema.target)
