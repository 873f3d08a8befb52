"""The report's card about the champion: how to get predictions of it."""

import json
import shlex

from ..modeling import store
from ..modeling.predictor import LoadPredictor, Predictor
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


def write_serve_card(
    project: Project, load_predictor: LoadPredictor, command: str, *, serves: bool
) -> None:
    """Write the card of step 7 for the champion."""
    predictor = load_predictor(store.champion_folder(project.models))
    log = project.definition.serving.log.removeprefix("sqlite:///")
    write_card(
        project.reports,
        "serve",
        f"Version {predictor.version} is the champion; "
        + ("the service predicts with it." if serves else "files are scored with it."),
        facts({"Champion": predictor.version, "Log": log}),
        *(_service(project, predictor, command) if serves else []),
        paragraph("Score a file of any size; its rows and their order are kept:"),
        code(f"uv run {command} predict new.csv scored.csv"),
    )


def _service(project: Project, predictor: Predictor, name: str) -> list[str]:
    serving = project.definition.serving
    address = f"http://{serving.host}:{serving.port}"
    body = json.dumps(predictor.example_request(), ensure_ascii=False)
    command = (
        f"curl {address}/predict \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )
    rows = [{"request": request, "response": what} for request, what in ENDPOINTS.items()]
    return [
        paragraph("Start the service; it takes up a new champion by itself, without a restart:"),
        code(f"uv run {name} serve"),
        paragraph(f"Ask it, or open {address} in a browser:"),
        code(command),
        details("All endpoints", table(rows)),
    ]
