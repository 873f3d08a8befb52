"""Makes the servers that `serving.py` measures, each in an environment of its own.

All of them have the same fitted pipeline, and answer the same row.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from breast_cancer import WRITE
from common import COMMAND, UNHURRIED, define, install, program, run

OWN = ["fastapi", "flask"]
KINDS = ["numeric", "mixed"]
PEERS = {
    "mlflow": ["mlflow>=3,<4"],
    "bentoml": ["bentoml>=1.4,<2"],
    "mlserver": ["mlserver>=1.6,<2", "mlserver-sklearn>=1.6,<2"],
}
# Ours, but the model is asked once, for the first row: every row gets that answer.
NO_MODEL = """
from dataclasses import replace
from my_model.cli import main
from my_model.deployment.service import service
answer, known = service.answer, []
def constant(predictor, contract, questions):
    if not known:
        known.append(answer(predictor, contract, [questions[0][:1]])[0][0])
    return [[replace(known[0], row=row) for row in question] for question in questions]
service.answer = constant
main()
"""
EXPORT = """
import joblib, json
import pandas as pd
from my_model.modeling import store
from my_model.modeling.predictor import load_predictor
from my_model.problem.project import open_project
predictor = load_predictor(store.champion_folder(open_project().models))
joblib.dump(predictor.pipeline, "model.joblib")
question = predictor.question()
columns = [column.name for column in predictor.schema.inputs]
answer = predictor.predict(pd.DataFrame(question["rows"], columns=columns))
print(json.dumps({"row": question["rows"][0], "answer": str(answer["prediction"].iloc[0])}))
"""
MLFLOW = """
import joblib, mlflow
mlflow.sklearn.save_model(joblib.load("model.joblib"), "saved", serialization_format="cloudpickle")
"""
BENTO = """
import bentoml, joblib, pandas as pd
@bentoml.service(workers=1)
class Model:
    def __init__(self):
        self.model = joblib.load("model.joblib")
    @bentoml.api
    def predict(self, rows: pd.DataFrame) -> list:
        return self.model.predict(rows).tolist()
"""
MLSERVER = {
    "name": "model",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": "./model.joblib"},
}


@dataclass(frozen=True)
class Server:
    """How a server is started and asked.

    Attributes
    ----------
    command, folder
        What runs, and where; the port is the last argument or stands in a file of the folder.
    path, body
        Of a request with one row.
    answer
        The label that the model gives to this row.
    """

    name: str
    command: list[str]
    folder: str
    port: int
    path: str
    body: object
    answer: str


def servers(folder: Path) -> list[Server]:
    """Return all servers; they are made in `folder`, unless they were before."""
    made = folder / "servers.json"
    if not made.exists():
        found = [asdict(server) for server in _make(folder)]
        made.write_text(json.dumps(found), encoding="utf-8")
    return [Server(**each) for each in json.loads(made.read_text(encoding="utf-8"))]


def _make(folder: Path) -> Iterator[Server]:
    ports = count(8400)
    for kind in KINDS:
        for serving in OWN:
            project = _trained(folder / f"{kind}-{serving}", serving, kind)
            yield from _own(project, f"{serving} {kind}", ports)
    champion = folder / f"numeric-{OWN[0]}" / COMMAND
    asked = _export(champion)
    for name in PEERS:
        yield _peer(folder / name, name, champion / "model.joblib", asked, next(ports))


def _trained(folder: Path, serving: str, kind: str) -> Path:
    """Make a project with a linear champion."""
    folder.mkdir()
    template = folder.parent / "template"
    run(
        f"uvx cookiecutter --no-input --output-dir {folder} {template} serving={serving}",
        folder.parent,
    )
    project = folder / COMMAND
    install(project)
    if kind == "numeric":
        data, target = folder / "breast_cancer.csv", "diagnosis"
        run([program(project, "python"), "-c", WRITE, str(data)], project)
    else:
        data, target = folder / "credit.csv", "status"
        data.write_bytes((project / "data" / "sample" / "credit.csv").read_bytes())
    define(project, data, target, candidates=["logistic"], **UNHURRIED)
    run([program(project, COMMAND), "run"], project)
    return project


def _export(project: Path) -> dict[str, Any]:
    """Write the champion as others load it; return a row and the label that it gets."""
    return dict(json.loads(run([program(project, "python"), "-c", EXPORT], project).output))


def _own(project: Path, name: str, ports: Iterator[int]) -> Iterator[Server]:
    """Yield a project's server, and the same with no model."""
    asked = _export(project)
    body, answer = {"rows": [asked["row"]]}, asked["answer"]
    python = program(project, "python")
    for words, start in (
        ("", [program(project, COMMAND)]),
        (", no model", [python, "-c", NO_MODEL]),
    ):
        port = next(ports)
        command = [*start, "serve", "--port", str(port)]
        yield Server(name + words, command, str(project), port, "/predict", body, answer)


def _peer(folder: Path, name: str, model: Path, asked: dict[str, Any], port: int) -> Server:
    """Install another server, and give it the champion."""
    folder.mkdir()
    run("uv venv --quiet .venv", folder)
    python = program(folder, "python")
    needed = [*PEERS[name], "scikit-learn>=1.9,<1.10", "pandas", "joblib"]
    run(["uv", "pip", "install", "--quiet", "--python", python, *needed], folder)
    (folder / "model.joblib").write_bytes(model.read_bytes())
    start = {"mlflow": _mlflow, "bentoml": _bentoml, "mlserver": _mlserver}[name]
    command, path, body = start(folder, asked["row"], port)
    return Server(
        name, [program(folder, name), *command], str(folder), port, path, body, asked["answer"]
    )


Start = tuple[list[str], str, object]


def _mlflow(folder: Path, row: dict[str, float], port: int) -> Start:
    run([program(folder, "python"), "-c", MLFLOW], folder)
    body = {"dataframe_split": {"columns": [*row], "data": [[*row.values()]]}}
    command = f"models serve --model-uri saved --env-manager local --workers 1 --port {port}"
    return command.split(), "/invocations", body


def _bentoml(folder: Path, row: dict[str, float], port: int) -> Start:
    (folder / "service.py").write_text(BENTO, encoding="utf-8")
    command = f"serve service:Model --host 127.0.0.1 --port {port}"
    return command.split(), "/predict", {"rows": [row]}


def _mlserver(folder: Path, row: dict[str, float], port: int) -> Start:
    (folder / "model-settings.json").write_text(json.dumps(MLSERVER), encoding="utf-8")
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": port + 100,
        "metrics_port": port + 200,
        "parallel_workers": 0,  # its worker processes do not start with uvloop of today
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]}
        for name, value in row.items()
    ]
    body = {"parameters": {"content_type": "pd"}, "inputs": inputs}
    return ["start", "."], "/v2/models/model/infer", body
