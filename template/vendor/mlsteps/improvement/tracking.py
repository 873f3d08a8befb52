"""Tell the tracking server, where there is one, what models/ holds."""

from ..problem.project import Project


def track(project: Project) -> str:
    """Return what was told in a line, "" where runs are recorded in models/ alone."""
    if project.definition.improvement.tracking != "mlflow":
        return ""
    from .mlflow_tracking import track as tell_mlflow  # MLflow may not be installed

    return tell_mlflow(project)
