"""How a model comes about, which depends on what it learns from: rows, or series."""

from .{{ cookiecutter.__data }} import learn

__all__ = ["learn"]
