"""Batch scoring from the command line: a file in, a file out."""

from .{{ cookiecutter.__data }} import score_file

__all__ = ["score_file"]
