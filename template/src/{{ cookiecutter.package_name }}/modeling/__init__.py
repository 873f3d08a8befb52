"""Step 5: candidates are compared by cross-validation, and the best is fitted and stored."""

from .{{ cookiecutter.problem_type }} import *
