"""How a model comes about, which depends on what it learns from: rows, or series."""

from .{{ cookiecutter.__data }} import OWN_TYPES, learn

__all__ = ["OWN_TYPES", "learn"]
