"""How a model meets the test set, which depends on what it answers: rows, or series."""

from .{{ cookiecutter.__data }} import meet_test

__all__ = ["meet_test"]
