"""The candidates that [models] in project.toml can name."""

from .{{ cookiecutter.problem_type }} import CANDIDATES

__all__ = ["CANDIDATES"]
