"""Where versions are recorded beside models/: nowhere, as it holds a JSON record of each."""

from ..problem.project import Project


def track(project: Project) -> str:
    """Record nothing more, and say nothing."""
    return ""
