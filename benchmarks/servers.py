"""Makes the servers that `serving.py` measures, each in an environment of its own.

All of them have the same fitted pipeline and get the same row, by name. The others have a second
way, the quickest that they can be asked: its steps without names, and bare numbers in order.
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
BARE = "numeric, bare"
NONE, CORE = ", no model", ", one core"
WAYS = [*KINDS, BARE]  # of asking the others
PEERS = {
    "mlflow": ["mlflow>=3,<4"],
    "bentoml": ["bentoml>=1.4,<2"],
    "mlserver": ["mlserver>=1.6,<2", "mlserver-sklearn>=1.6,<2"],
}
# Ours, but the model is asked once, for the first row: every row gets that answer.
NO_MODEL = """
from dataclasses import replace
from mlsteps.deployment.service.served_model import ServedRowModel
from my_model.cli import main
predict, known = ServedRowModel.predict, []
def constant(model, requests):
    if not known:
        known.append(predict(model, [requests[0][:1]])[0][0])
    return [[replace(known[0], row=row) for row in request] for request in requests]
ServedRowModel.predict = constant
main()
"""
# The champion's pipeline, and its steps for arrays: without the names of their columns.
EXPORT = """
import joblib, json
import numpy as np, pandas as pd
from sklearn.pipeline import make_pipeline
from mlsteps import open_project
from mlsteps.modeling import store
from my_model.modeling.predictor import load_model
project = open_project()
predictor = load_model(store.champion_folder(project.models))
question = predictor.example_request()
rows = pd.DataFrame(question["rows"])
answer = predictor.predict(rows)["prediction"].iloc[0]
assert predictor.pipeline.predict(rows)[0] == answer
joblib.dump(predictor.pipeline, "model.joblib")
encoder, estimator = predictor.pipeline
(_, numbers, columns), *others = encoder.transformers_
if not others:
    rows = pd.read_parquet(project.prepared / "train.parquet")[columns]
    known = predictor.predict(rows)["prediction"]
    steps = numbers.named_steps.values()
    for step in steps:
        vars(step).pop("feature_names_in_", None)
    model = make_pipeline(*steps, estimator)
    assert np.array_equal(model.predict(rows.to_numpy()), known)
    joblib.dump(model, "bare.joblib")
    question["numbers"] = [question["rows"][0][name] for name in columns]
print(json.dumps({**question, "answer": str(answer)}))
"""
MLFLOW = """
import joblib, mlflow
mlflow.sklearn.save_model(joblib.load("model.joblib"), "saved", serialization_format="cloudpickle")
"""
BENTO = """
import bentoml, joblib, numpy as np, pandas as pd
@bentoml.service(workers=1)
class Model:
    def __init__(self):
        self.model = joblib.load("model.joblib")
    @bentoml.api
    def predict(self, rows: ROWS) -> list:
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
    one_core
        Whether it is kept on one core.
    """

    name: str
    command: list[str]
    folder: str
    port: int
    path: str
    body: object
    answer: str
    one_core: bool = False


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
    for name in PEERS:
        programs = _installed(folder / name, name)
        for way in WAYS:
            champion = folder / f"{way.removesuffix(', bare')}-{OWN[0]}" / COMMAND
            place = folder / name / way.replace(", ", "-")
            yield _peer(place, f"{name} {way}", programs, champion, next(ports))


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
    """Yield a project's server, the same with no model, and both on one core."""
    asked = _export(project)
    body, answer = {"rows": asked["rows"]}, asked["answer"]
    python = program(project, "python")
    ways = {"": [program(project, COMMAND)], NONE: [python, "-c", NO_MODEL]}
    for where in ("", CORE):
        for words, start in ways.items():
            port = next(ports)
            command = [*start, "serve", "--port", str(port)]
            called = name + where + words
            yield Server(called, command, str(project), port, "/predict", body, answer, bool(where))


def _installed(folder: Path, name: str) -> Path:
    """Install another server; return the folder of its programs."""
    folder.mkdir()
    run("uv venv --quiet .venv", folder)
    python = program(folder, "python")
    needed = [*PEERS[name], "scikit-learn>=1.9,<1.10", "pandas", "joblib"]
    run(["uv", "pip", "install", "--quiet", "--python", python, *needed], folder)
    return Path(python).parent


def _peer(folder: Path, name: str, programs: Path, champion: Path, port: int) -> Server:
    """Give another server the champion."""
    folder.mkdir()
    asked, bare = _export(champion), name.endswith(BARE)
    model = champion / ("bare.joblib" if bare else "model.joblib")
    (folder / "model.joblib").write_bytes(model.read_bytes())
    row = asked["numbers"] if bare else asked["rows"][0]
    own = name.partition(" ")[0]
    start = {"mlflow": _mlflow, "bentoml": _bentoml, "mlserver": _mlserver}[own]
    command, path, body = start(folder, programs, row, port)
    return Server(
        name, [str(programs / own), *command], str(folder), port, path, body, asked["answer"]
    )


Row = dict[str, Any] | list[float]
Start = tuple[list[str], str, object]


def _mlflow(folder: Path, programs: Path, row: Row, port: int) -> Start:
    run([str(programs / "python"), "-c", MLFLOW], folder)
    command = f"models serve --model-uri saved --env-manager local --workers 1 --port {port}"
    key = "dataframe_records" if isinstance(row, dict) else "inputs"
    return command.split(), "/invocations", {key: [row]}


def _bentoml(folder: Path, programs: Path, row: Row, port: int) -> Start:  # noqa: ARG001
    rows = "pd.DataFrame" if isinstance(row, dict) else "np.ndarray"
    (folder / "service.py").write_text(BENTO.replace("ROWS", rows), encoding="utf-8")
    command = f"serve service:Model --host 127.0.0.1 --port {port}"
    return command.split(), "/predict", {"rows": [row]}


def _mlserver(folder: Path, programs: Path, row: Row, port: int) -> Start:  # noqa: ARG001
    (folder / "model-settings.json").write_text(json.dumps(MLSERVER), encoding="utf-8")
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": port + 100,
        "metrics_port": port + 200,
        "parallel_workers": 0,  # its worker processes do not start with uvloop of today
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    if isinstance(row, dict):
        columns = [_column(name, value) for name, value in row.items()]
        body = {"parameters": {"content_type": "pd"}, "inputs": columns}
    else:
        shape = [1, len(row)]
        body = {"inputs": [{"name": "rows", "shape": shape, "datatype": "FP64", "data": row}]}
    return ["start", "."], "/v2/models/model/infer", body


def _column(name: str, value: object) -> dict[str, object]:
    column: dict[str, object] = {"name": name, "shape": [1, 1], "data": [value]}
    if isinstance(value, str):
        return column | {"datatype": "BYTES", "parameters": {"content_type": "str"}}
    return column | {"datatype": "FP64"}
