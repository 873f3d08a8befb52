"""The report's card about the service: how to start it and how to ask it."""

import json
import shlex
from importlib.metadata import entry_points

from ..modeling import store
from ..modeling.predictor import load_predictor
from ..problem.project import Project
from ..report import code, details, facts, paragraph, table, write_card

ENDPOINTS = {
    "GET /": "a page with a form, for people",
    "POST /predict": "predictions for a list of rows, each with an id",
    "POST /feedback": "what a prediction turned out to be, by its id",
    "GET /model": "the model that serves, its inputs and its quality",
    "GET /openapi.json": "the description for programs; /docs shows it",
    "GET /metrics": "counts and times for Prometheus",
    "GET /health/live": "200 while the process works",
    "GET /health/ready": "200 once there is a model",
}


def write_serve_card(project: Project) -> None:
    """Write the card of step 7 for the champion.

    Raises
    ------
    UserError
        If there is no champion, or it cannot be loaded.
    """
    predictor = load_predictor(store.champion_folder(project.models))
    serving = project.definition.serving
    address = f"http://{serving.host}:{serving.port}"
    body = json.dumps({"rows": [predictor.describe()["example"]]}, ensure_ascii=False)
    command = (
        f"curl {address}/predict \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )
    rows = [{"request": request, "answers": what} for request, what in ENDPOINTS.items()]
    write_card(
        project.reports,
        "serve",
        f"Version {predictor.version} is the champion; the service answers with it.",
        facts({"Champion": predictor.version, "Address": address, "Log": _log(serving.log)}),
        paragraph("Start the service; it takes up a new champion by itself, without a restart:"),
        code(f"uv run {_command()} serve"),
        paragraph("Ask it, or open its address in a browser:"),
        code(command),
        details("All it answers", table(rows)),
    )


def _command() -> str:
    """Return the name under which the project's command line is installed."""
    package = __package__.partition(".")[0]
    scripts = entry_points(group="console_scripts")
    return next((s.name for s in scripts if s.module == f"{package}.cli"), f"python -m {package}")


def _log(setting: str) -> str:
    return setting.removeprefix("sqlite:///")
