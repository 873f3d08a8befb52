"""What two versions are asked and what is watched, which depends on the data: rows, or series."""

from .{{ cookiecutter.__data }} import ask_again, ask_both, watched

__all__ = ["ask_again", "ask_both", "watched"]
