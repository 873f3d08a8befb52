"""Step 4: what the training rows look like, and how they hang together."""

from .{{ cookiecutter.problem_type }} import *
