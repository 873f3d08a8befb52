"""Step 6: the best model meets the test set once, and the gate decides."""

from .{{ cookiecutter.problem_type }} import *
