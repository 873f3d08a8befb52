"""The tables of project.toml that depend on what the data is: rows, or series of dates."""

from .{{ cookiecutter.__data }} import Columns, Preparation, Split

__all__ = ["Columns", "Preparation", "Split"]
