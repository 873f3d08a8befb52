"""What is particular to exploring rows that are to be grouped: nothing beyond its family."""

from .unsupervised import ORDER, insights, rank_features, strongest

__all__ = ["ORDER", "insights", "rank_features", "strongest"]
