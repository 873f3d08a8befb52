"""The gate: what a model must show before it may serve."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..preparation.split import GROUP
from ..problem import METRICS, TARGET_KIND
from ..problem.definition import Definition
from ..report import number
from .bootstrap import Measured

LEAST_ROWS, LEAST_OF_CLASS, LEAST_GROUPS = 20, 5, 5


def judge(
    test: Measured,
    baseline: Mapping[str, float],
    costs: Mapping[str, float],
    rows: pd.DataFrame,
    definition: Definition,
) -> dict[str, Any]:
    """Hold a model against the bar and the constraints of the definition.

    Parameters
    ----------
    test
        Its metrics on the test set, with intervals.
    baseline
        The baseline's metrics on the same rows.
    costs
        What it takes, under the keys of [constraints].
    rows
        The prepared test rows.

    Returns
    -------
    dict
        ``passed``, ``reasons`` (a sentence for each check that failed) and ``checks`` (all of
        them, each with ``what`` and ``passed``).
    """
    problem = definition.problem
    metric = METRICS[problem.metric]
    mine, theirs = test[problem.metric], baseline[problem.metric]
    found = (
        f"{metric.title} is {number(mine['value'])} "
        f"({number(mine['low'])} to {number(mine['high'])})"
    )
    # Beating the baseline clearly: even the worse end of the interval is better.
    worse_end = mine["low"] if metric.higher_is_better else mine["high"]
    bound = "at least" if metric.higher_is_better else "at most"
    minimum = f"{found}; {bound} {number(problem.minimum)} is asked for"
    baseline_beaten = (
        f"{found}; the baseline {problem.baseline} has {number(theirs)}, and the whole interval "
        "has to be better"
    )
    checks = [
        (metric.gain(mine["value"], problem.minimum) >= 0, minimum),
        (metric.gain(worse_end, theirs) > 0, baseline_beaten),
    ]
    for key, limit in definition.constraints.model_dump().items():
        words = f"{key.replace('_', ' ')}: {number(costs[key])}; at most {number(limit)} allowed"
        checks.append((costs[key] <= limit, words))
    checks.append(_enough(rows[problem.target], rows.get(GROUP)))
    return {
        "passed": all(passed for passed, _ in checks),
        "reasons": [what for passed, what in checks if not passed],
        "checks": [{"what": what, "passed": passed} for passed, what in checks],
    }


def _enough(target: pd.Series, group: pd.Series | None) -> tuple[bool, str]:
    """Check that the test rows can carry an interval: one of few rows looks surer than it is."""
    counts = {"test rows": (len(target), LEAST_ROWS)}
    classes = target.value_counts()
    if TARGET_KIND == "category" and len(classes) == 2:
        counts[f'of class "{classes.index[1]}"'] = (int(classes.iloc[1]), LEAST_OF_CLASS)
    if group is not None:
        counts["groups"] = (group.nunique(), LEAST_GROUPS)
    found = ", ".join(f"{count:,} {what}" for what, (count, _) in counts.items())
    asked = ", ".join(f"{least} {what}" for what, (_, least) in counts.items())
    passed = all(count >= least for count, least in counts.values())
    return passed, f"{found}; at least {asked} are needed to tell"
