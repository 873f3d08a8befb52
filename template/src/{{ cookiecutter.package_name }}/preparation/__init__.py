"""Step 3: raw rows become training rows, test rows and a schema."""

from .{{ cookiecutter.__data }} import make_sets

__all__ = ["make_sets"]
