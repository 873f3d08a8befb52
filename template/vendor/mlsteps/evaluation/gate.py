"""The rules of the gate: what a model must show before it may serve."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..report import number

if TYPE_CHECKING:
    from .result import TestResult

TIME_MARGIN = 0.2  # of a limit on a time: the same fit and the same prediction never take the same


@dataclass(frozen=True)
class Check:
    """One rule, applied.

    Parameters
    ----------
    passed : bool
        Whether the model may serve by this rule.
    reason : str
        What was found and what is allowed, in a sentence without its full stop.
    noted : bool, optional
        Whether the command line says the reason though the check is passed.

    Examples
    --------
    >>> Check(0.9 >= 0.8, "Accuracy is 0.9; at least 0.8 is needed").passed
    True
    """

    passed: bool
    reason: str
    noted: bool = False


def reaches_minimum(result: "TestResult") -> Check:
    """Check that the metric reaches [problem] minimum on the test rows, if one is set.

    Parameters
    ----------
    result : TestResult
        What came of the test.

    Returns
    -------
    Check
        Whether it does, and what was found.

    Examples
    --------
    In evaluation/gate.py of a project:

    >>> def gate(result):
    ...     return [reaches_minimum(result)]
    """
    metric, minimum = result.metric, result.definition.problem.minimum
    if minimum == "none":
        return Check(True, f"{_found(result)}; no [problem] minimum is set")
    bound = "at least" if metric.higher_is_better else "at most"
    reason = f"{_found(result)}; {bound} {number(minimum)} is needed"
    return Check(metric.gain(result.score["value"], minimum) >= 0, reason)


def beats_baselines(result: "TestResult") -> list[Check]:
    """Check that even the worse end of the metric's interval is better than each baseline.

    A baseline that another check compares row by row is left to it.

    Parameters
    ----------
    result : TestResult
        What came of the test.

    Returns
    -------
    list of Check
        One for each baseline.

    Examples
    --------
    In evaluation/gate.py of a project:

    >>> def gate(result):
    ...     return [*beats_baselines(result)]
    """
    metric, name = result.metric, result.definition.problem.metric
    worse_end = result.score["low"] if metric.higher_is_better else result.score["high"]
    checks = []
    for baseline, values in result.baselines.items():
        if baseline in result.definition.problem.held_in_pairs():
            continue
        if name not in values:
            unknown = f"{metric.title} of the baseline {baseline} is not defined on these rows"
            checks.append(Check(False, f"{unknown}, so the model is not shown to be better"))
            continue
        reason = (
            f"{_found(result)}; the baseline {baseline} has {number(values[name])}, and the whole "
            "interval has to be better"
        )
        checks.append(Check(metric.gain(worse_end, values[name]) > 0, reason))
    return checks


def within_constraints(result: "TestResult") -> list[Check]:
    """Check that the model costs no more than [constraints] allow, times with a margin.

    Parameters
    ----------
    result : TestResult
        What came of the test.

    Returns
    -------
    list of Check
        One for each constraint.

    Examples
    --------
    In evaluation/gate.py of a project:

    >>> def gate(result):
    ...     return [*within_constraints(result)]
    """
    checks = []
    for key, limit in result.definition.constraints.model_dump().items():
        cost, name = result.costs[key], key.replace("_", " ")
        margin = TIME_MARGIN if key.endswith("seconds") else 0
        reason = f"{name}: {number(cost)}; at most {number(limit)} allowed"
        reason += f", and {margin:.0%} more, as times vary" if margin else ""
        checks.append(Check(cost <= limit * (1 + margin), reason))
    return checks


def enough(counts: Mapping[str, tuple[int, int]]) -> Check:
    """Check that there is enough of each thing; `counts` has what there is and the least."""
    found = ", ".join(f"{count:,} {what}" for what, (count, _) in counts.items())
    needed = " and ".join(str(least) for _, least in counts.values())
    passed = all(count >= least for count, least in counts.values())
    return Check(passed, f"{found}; at least {needed} are needed")


def _found(result: "TestResult") -> str:
    value, low, high = (number(result.score[key]) for key in ("value", "low", "high"))
    return f"{result.metric.title} is {value} ({low} to {high})"
