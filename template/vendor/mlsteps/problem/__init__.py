"""Step 1: what is predicted, how it is measured, and whether the data can answer it."""

from .check import define
from .columns import Column
from .definition import Definition
from .metric import Metric, all_metrics, select_metric
from .project import Project, open_project
from .settings import Improvement

__all__ = [
    "Column",
    "Definition",
    "Improvement",
    "Metric",
    "Project",
    "all_metrics",
    "define",
    "open_project",
    "select_metric",
]
