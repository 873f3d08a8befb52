"""What is particular to exploring rows among which anomalies are: nothing beyond its family."""

from .unsupervised import ORDER, insights, rank_features, strongest

__all__ = ["ORDER", "insights", "rank_features", "strongest"]
