"""Step 5: candidates are compared, and the best is fitted and stored."""

from .{{ cookiecutter.problem_type }} import (
    CANDIDATES,
    TRUSTED,
    always_tried,
    answer,
    judge,
    learn_decision,
    measurable,
    plain_decision,
    remember,
)

__all__ = [
    "CANDIDATES",
    "TRUSTED",
    "always_tried",
    "answer",
    "judge",
    "learn_decision",
    "measurable",
    "plain_decision",
    "remember",
]
