"""Find the module of a step that knows a type of problem."""

from importlib import import_module
from typing import Any


def of_type(step: str, problem_type: str) -> Any:
    """Return the module of a step for a type of problem.

    It is imported when it is asked for: forecasting alone needs statsmodels, which takes a second
    to load and is not installed elsewhere.

    Parameters
    ----------
    step
        A subpackage, "modeling" say.
    problem_type
        "classification", "regression", "clustering", "forecasting" or "anomaly_detection".

    Examples
    --------
    >>> of_type("problem", "regression").Problem.__name__
    'Problem'
    """
    return import_module(f"{__package__}.{step}.{problem_type}")
