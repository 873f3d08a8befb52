"""Step 6: the test set is opened, and the model is measured on it."""

from .evaluate import evaluate
from .gate import Check, beats_baselines, reaches_minimum, within_constraints
from .result import TestResult

__all__ = [
    "Check",
    "TestResult",
    "beats_baselines",
    "evaluate",
    "reaches_minimum",
    "within_constraints",
]
