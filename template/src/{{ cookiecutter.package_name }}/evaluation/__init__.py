"""Step 6: the best model is judged, and the gate decides."""

from .{{ cookiecutter.problem_type }} import (
    LOSS,
    checks,
    closer_look,
    figures,
    measure_baselines,
    outcome,
    usefulness,
)

__all__ = [
    "LOSS",
    "checks",
    "closer_look",
    "figures",
    "measure_baselines",
    "outcome",
    "usefulness",
]
