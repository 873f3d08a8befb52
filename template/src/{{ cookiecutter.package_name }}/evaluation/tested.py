"""What came of the test."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..errors import UserError
from ..problem.definition import Definition
from .bootstrap import Measured
from .gate import Check

UNSEEN, LEARNT = "the test set", "all rows"  # what was judged; the second was learnt from as well
CROSSED = "all rows, each by a model that has not seen it"


@dataclass(frozen=True)
class Tested:
    """What a model answered on the test set, and how good that was.

    Attributes
    ----------
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
    milliseconds
        What one answer took.
    plots, further
        Figures for the report, and other sections.
    """

    answers: pd.DataFrame
    rows: int
    measured: Measured
    baselines: dict[str, dict[str, float]]
    checks: list[Check]
    outcome: dict[str, object]
    slices: list[dict[str, Any]]
    importance: list[dict[str, Any]]
    loss: str
    milliseconds: float
    plots: list[str]
    further: list[str] = field(default_factory=list)
    on: str = UNSEEN


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
