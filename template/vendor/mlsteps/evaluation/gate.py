"""The rules of the gate: what a model must show before it may serve."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..report import number

if TYPE_CHECKING:
    from .tested import TestResult


@dataclass(frozen=True)
class Check:
    """One rule, applied.

    Attributes
    ----------
    passed
        Whether the model may serve by this rule.
    reason
        What was found and what is asked for, in a sentence without its full stop.
    """

    passed: bool
    reason: str


def reaches_minimum(tested: "TestResult") -> Check:
    """Check that the metric reaches [problem] minimum on the test rows."""
    metric, minimum = tested.metric, tested.definition.problem.minimum
    bound = "at least" if metric.higher_is_better else "at most"
    reason = f"{_found(tested)}; {bound} {number(minimum)} is asked for"
    return Check(metric.gain(tested.result["value"], minimum) >= 0, reason)


def beats_baselines(tested: "TestResult") -> list[Check]:
    """Check that even the worse end of the metric's interval is better than each baseline.

    A baseline that another check compares row by row is left to it.
    """
    metric, name = tested.metric, tested.definition.problem.metric
    worse_end = tested.result["low"] if metric.higher_is_better else tested.result["high"]
    checks = []
    for baseline, values in tested.baselines.items():
        if baseline in tested.definition.problem.held_in_pairs():
            continue
        if name not in values:
            untold = f"{metric.title} of the baseline {baseline} is not defined on these rows"
            checks.append(Check(False, f"{untold}, so the model is not shown to be better"))
            continue
        reason = (
            f"{_found(tested)}; the baseline {baseline} has {number(values[name])}, and the whole "
            "interval has to be better"
        )
        checks.append(Check(metric.gain(worse_end, values[name]) > 0, reason))
    return checks


def within_constraints(tested: "TestResult") -> list[Check]:
    """Check that the model costs no more than [constraints] allow."""
    limits = tested.definition.constraints.model_dump()
    return [
        Check(
            tested.costs[key] <= limit,
            f"{key.replace('_', ' ')}: {number(tested.costs[key])}; at most {number(limit)} allowed",
        )
        for key, limit in limits.items()
    ]


def _found(tested: "TestResult") -> str:
    result = tested.result
    return (
        f"{tested.metric.title} is {number(result['value'])} "
        f"({number(result['low'])} to {number(result['high'])})"
    )
