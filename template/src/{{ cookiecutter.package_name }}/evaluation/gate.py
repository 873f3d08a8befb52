"""The gate: what a model must show before it may serve."""

from collections.abc import Mapping
from typing import Any

from ..problem import METRICS
from ..problem.definition import Definition
from ..report import number
from .bootstrap import Measured

Check = tuple[bool, str]  # whether it passed, and what was found, in words


def judge(
    test: Measured,
    baselines: Mapping[str, Mapping[str, float]],
    costs: Mapping[str, float],
    others: list[Check],
    definition: Definition,
) -> dict[str, Any]:
    """Hold a model against the bar and the constraints of the definition.

    Parameters
    ----------
    test
        Its metrics on the test set, with intervals.
    baselines
        The metrics of each baseline on the same rows.
    costs
        What it takes, under the keys of [constraints].
    others
        What else the problem type checks.

    Returns
    -------
    dict
        ``passed``, ``reasons`` (a sentence for each check that failed) and ``checks`` (all of
        them, each with ``what`` and ``passed``).
    """
    problem = definition.problem
    metric = METRICS[problem.metric]
    mine = test[problem.metric]
    found = (
        f"{metric.title} is {number(mine['value'])} "
        f"({number(mine['low'])} to {number(mine['high'])})"
    )
    # Beating the baseline clearly: even the worse end of the interval is better.
    worse_end = mine["low"] if metric.higher_is_better else mine["high"]
    bound = "at least" if metric.higher_is_better else "at most"
    minimum = f"{found}; {bound} {number(problem.minimum)} is asked for"
    checks: list[Check] = [(metric.gain(mine["value"], problem.minimum) >= 0, minimum)]
    for name, values in baselines.items():
        if name in problem.held_in_pairs():  # it stands among the other checks
            continue
        if problem.metric not in values:
            untold = f"{metric.title} of the baseline {name} is not defined on these rows"
            checks.append((False, f"{untold}, so the model is not shown to be better"))
            continue
        theirs = values[problem.metric]
        beaten = (
            f"{found}; the baseline {name} has {number(theirs)}, and the whole interval "
            "has to be better"
        )
        checks.append((metric.gain(worse_end, theirs) > 0, beaten))
    for key, limit in definition.constraints.model_dump().items():
        words = f"{key.replace('_', ' ')}: {number(costs[key])}; at most {number(limit)} allowed"
        checks.append((costs[key] <= limit, words))
    checks += others
    return {
        "passed": all(passed for passed, _ in checks),
        "reasons": [what for passed, what in checks if not passed],
        "checks": [{"what": what, "passed": passed} for passed, what in checks],
    }
