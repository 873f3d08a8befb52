"""Step 4: what the training rows look like, and what tells about the target."""

from .{{ cookiecutter.problem_type }} import (
    AGAINST,
    MEASURE,
    association,
    colours,
    plot_against,
    plot_target,
)

__all__ = ["AGAINST", "MEASURE", "association", "colours", "plot_against", "plot_target"]
