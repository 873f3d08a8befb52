"""Step 1: what is predicted, how it is judged, and whether the data can answer it."""

from .{{ cookiecutter.problem_type }} import (
    METRICS,
    NEEDS_TARGET,
    PLAIN_SPLIT,
    TARGET_KIND,
    TEACHES,
    TYPE,
    Evaluation,
    Problem,
    arrays,
    check_target,
    suggest_problem,
)

__all__ = [
    "METRICS",
    "NEEDS_TARGET",
    "PLAIN_SPLIT",
    "TARGET_KIND",
    "TEACHES",
    "TYPE",
    "Evaluation",
    "Problem",
    "arrays",
    "check_target",
    "suggest_problem",
]
