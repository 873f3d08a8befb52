"""The exploration of the training data, which depends on what it is: rows, or series."""

from .{{ cookiecutter.__data }} import explore

__all__ = ["explore"]
