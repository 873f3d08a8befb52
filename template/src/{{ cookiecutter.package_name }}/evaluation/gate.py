"""The gate: what a model must show before it may serve."""

from mlsteps.evaluation import (
    Check,
    TestResult,
    beats_baselines,
    reaches_minimum,
    within_constraints,
)


def gate(result: TestResult) -> list[Check]:
    """Return the checks; a model that fails one is not promoted.

    A rule of your own is a ``Check(passed, "what was found; what is needed")``.
    """
    return [
        reaches_minimum(result),
        *beats_baselines(result),
        *within_constraints(result),
        *result.checks,  # whether there are enough rows, and what the type of problem needs
    ]
