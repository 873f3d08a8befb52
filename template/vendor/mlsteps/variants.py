"""Find the module of a step that knows a type of problem."""

from importlib import import_module
from typing import Any


def of_type(step: str, problem_type: str) -> Any:
    """Return the module of a step for a type of problem.

    It is imported when it is asked for: forecasting alone needs statsmodels, which takes a second
    to load and is not installed elsewhere.
    """
    return import_module(f"{__package__}.{step}.{problem_type}")
