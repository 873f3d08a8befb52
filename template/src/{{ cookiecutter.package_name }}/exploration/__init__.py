"""Step 4: what the training rows look like, and how they hang together."""

from .{{ cookiecutter.problem_type }} import ORDER, association, insights, rank_features, strongest

__all__ = ["ORDER", "association", "insights", "rank_features", "strongest"]
