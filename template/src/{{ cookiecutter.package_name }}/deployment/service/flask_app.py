"""The service."""

from mlsteps import Project
from mlsteps.deployment.service import flask_service

from ...modeling.predictor import load_model


def serve(project: Project, host: str, port: int) -> None:
    """Serve until it is stopped."""
    flask_service.serve(project, load_model, host, port)
