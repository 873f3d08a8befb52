"""The report's card about the champion: how to get predictions of it."""

import json
import shlex

from ..modeling import store
from ..modeling.predictor import LoadPredictor
from ..problem.project import Project
from ..report import code, facts, paragraph, write_card


def write_serve_card(
    project: Project, load_predictor: LoadPredictor, command: str, *, serves: bool
) -> None:
    """Write the card of step 7 for the champion."""
    predictor = load_predictor(store.champion_folder(project.models))
    serving, version = project.definition.serving, predictor.version
    known = {"Champion": version, "Log": serving.log.removeprefix("sqlite:///")}
    if why := store.promoted_anyway(project.models, version):
        known["Promoted all the same"] = why
    address = f"http://{serving.host}:{serving.port}"
    body = json.dumps(predictor.example_request(), ensure_ascii=False)
    service = [
        paragraph("Start the service; it takes up a new champion by itself, without a restart:"),
        code(f"uv run {command} serve"),
        paragraph(f"Send a request, or open {address} in a browser; /docs has all endpoints:"),
        code(
            f"curl {address}/predict \\\n  -H 'Content-Type: application/json' \\\n"
            f"  -d {shlex.quote(body)}"
        ),
    ]
    write_card(
        project.reports,
        "serve",
        f"Version {version} is the champion; "
        + ("the service predicts with it." if serves else "files are scored with it."),
        facts(known),
        *(service if serves else []),
        paragraph("Score a file of any size; its rows and their order are kept:"),
        code(f"uv run {command} predict new.csv scored.csv"),
    )
