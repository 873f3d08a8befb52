"""What is checked of the data, and said of it, that depends on what it is: rows, or series."""

from .{{ cookiecutter.__data }} import look

__all__ = ["look"]
