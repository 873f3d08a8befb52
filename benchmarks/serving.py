"""How fast predictions are served, beside the same server with no model and three others.

One row of 30 numbers and a linear model (breast cancer, 1995), then one row of numbers and
categories (the sample of a new project), 32 connections, one worker process each. All of them have
the same fitted pipeline and get the same row, its values by name. Ours checks the row, answers with
probabilities and an id, and writes all of it to the prediction log; it runs as its users start it.
The others answer with the class alone. "No model" is our server where the predictor gives one
constant answer: the limit. The processor time and the memory are those of all processes of a
server; the load comes from a process of its own.

With names of servers as arguments, only these are measured.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from breast_cancer import WRITE
from common import COMMAND, HERE, UNHURRIED, define, install, program, run, workplace

CONNECTIONS = 32
REQUESTS = 20_000
SECONDS = 20.0
PEERS = {
    "mlflow": ["mlflow>=3,<4"],
    "bentoml": ["bentoml>=1.4,<2"],
    "mlserver": ["mlserver>=1.6,<2", "mlserver-sklearn>=1.6,<2"],
}
# Ours, but each answer is that of the example; it is computed once, and repeated for every row.
NO_MODEL = """
import pandas as pd
from my_model.cli import main
from my_model.modeling.predictor import Predictor
predict, known = Predictor.predict, []
def constant(self, rows):
    if not known:
        known.append(predict(self, rows).iloc[:1])
    return known[0].iloc[[0] * len(rows)]
Predictor.predict = constant
main()
"""
EXPORT = """
import joblib, sys
from my_model.modeling import store
from my_model.problem.project import open_project
folder = store.champion_folder(open_project().models)
joblib.dump(store.load_pipeline(folder / store.MODEL), sys.argv[1])
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
EXAMPLE = """
import json
from my_model.modeling import store
from my_model.modeling.predictor import load_predictor
from my_model.problem.project import open_project
print(json.dumps(load_predictor(store.champion_folder(open_project().models)).describe()["example"]))
"""
MLSERVER = {
    "name": "model",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": "./model.joblib"},
}


@dataclass(frozen=True)
class Server:
    """How a server is started and asked."""

    name: str
    command: list[str]
    folder: Path
    path: str
    body: object
    port: int


def main() -> None:
    """Print a line for each server, and what the first does of each other."""
    wanted = sys.argv[1:]
    with workplace() as folder:
        servers = {}
        ports = iter(range(8400, 8500))
        for kind in ("numeric", "mixed"):
            for serving in ("fastapi", "flask"):
                project = trained(folder / f"{kind}-{serving}", serving, kind)
                for server in own(project, kind, serving, ports):
                    servers[server.name] = server
        champion = folder / "numeric-fastapi" / COMMAND
        for name in PEERS:
            if not wanted or name in wanted:
                servers[name] = peer(folder / name, name, champion, next(ports))
        rates = {
            name: measure(server)
            for name, server in servers.items()
            if not wanted or name in wanted
        }
    for name, rate in rates.items():
        first = "fastapi mixed" if "mixed" in name else "fastapi numeric"
        if first in rates:
            print(f"{first} is {rates[first] / rate:.2f} times {name}")


def trained(folder: Path, serving: str, kind: str) -> Path:
    """Make a project with a linear champion."""
    folder.mkdir()
    template = folder.parent / "template"
    run(
        f"uvx cookiecutter --no-input --output-dir {folder} {template} serving={serving}",
        folder.parent,
    )
    project = folder / COMMAND
    install(project)
    data = folder / "credit.csv"
    target = "status"
    if kind == "numeric":
        data, target = folder / "breast_cancer.csv", "diagnosis"
        run([program(project, "python"), "-c", WRITE, str(data)], project)
    else:
        data.write_bytes((project / "data" / "sample" / "credit.csv").read_bytes())
    define(project, data, target, candidates=["logistic"], **UNHURRIED)
    run([program(project, COMMAND), "run"], project)
    return project


def own(project: Path, kind: str, serving: str, ports: Iterator[int]) -> Iterator[Server]:
    """Yield a project's server, and the same with no model."""
    row = json.loads(run([program(project, "python"), "-c", EXAMPLE], project).output)
    serve = [program(project, COMMAND), "serve", "--port"]
    port = next(ports)
    yield Server(
        f"{serving} {kind}", [*serve, str(port)], project, "/predict", {"rows": [row]}, port
    )
    port = next(ports)
    command = [program(project, "python"), "-c", NO_MODEL, "serve", "--port", str(port)]
    name = f"{serving} {kind}, no model"
    yield Server(name, command, project, "/predict", {"rows": [row]}, port)


def peer(folder: Path, name: str, project: Path, port: int) -> Server:
    """Install another server in an environment of its own, and give it the champion."""
    folder.mkdir()
    run("uv venv --quiet .venv", folder)
    python = program(folder, "python")
    needed = [*PEERS[name], "scikit-learn>=1.9,<1.10", "pandas", "joblib"]
    run(["uv", "pip", "install", "--quiet", "--python", python, *needed], folder)
    run([program(project, "python"), "-c", EXPORT, str(folder / "model.joblib")], project)
    row = json.loads(run([program(project, "python"), "-c", EXAMPLE], project).output)
    if name == "mlflow":
        run([python, "-c", MLFLOW], folder)
        command = f"{program(folder, 'mlflow')} models serve -m saved --env-manager local -p {port}"
        body: object = {"dataframe_split": {"columns": [*row], "data": [[*row.values()]]}}
        return Server(name, command.split(), folder, "/invocations", body, port)
    if name == "bentoml":
        (folder / "service.py").write_text(BENTO, encoding="utf-8")
        command = f"{program(folder, 'bentoml')} serve service:Model --port {port}"
        return Server(name, command.split(), folder, "/predict", {"rows": [row]}, port)
    (folder / "model-settings.json").write_text(json.dumps(MLSERVER), encoding="utf-8")
    settings = {
        "http_port": port,
        "grpc_port": port + 100,
        "metrics_port": port + 200,
        "parallel_workers": 0,  # its worker processes do not start with uvloop of today
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    given = [
        {"name": key, "shape": [1, 1], "datatype": "FP64", "data": [value]}
        for key, value in row.items()
    ]
    body = {"parameters": {"content_type": "pd"}, "inputs": given}
    command = f"{program(folder, 'mlserver')} start ."
    return Server(name, command.split(), folder, "/v2/models/model/infer", body, port)


def measure(server: Server) -> float:
    """Start a server, load it, print what it did, and return its requests a second."""
    body = server.folder / "body.json"
    body.write_text(json.dumps(server.body), encoding="utf-8")
    with started(server) as pid:
        url = f"http://127.0.0.1:{server.port}{server.path}"
        load = [sys.executable, str(HERE / "load.py"), url, str(body)]
        load += ["--connections", str(CONNECTIONS), "--seconds", str(SECONDS)]
        run([*load, "--requests", "500"], server.folder)  # warms it up
        before = processor_seconds(pid)
        found = json.loads(run([*load, "--requests", str(REQUESTS)], server.folder).output)
        answers = sum(found["statuses"].values())
        used = 1000 * (processor_seconds(pid) - before) / max(answers, 1)
        memory = megabytes(pid)
    print(
        f"{server.name}: {found['requests_per_second']:.0f} requests/s, "
        f"p50 {found['p50_milliseconds']:.1f} ms, p99 {found['p99_milliseconds']:.1f} ms, "
        f"{used:.2f} ms of processor a request, {memory:.0f} MB; statuses {found['statuses']}",
        flush=True,
    )
    return float(found["requests_per_second"])


@contextmanager
def started(server: Server) -> Iterator[int]:
    """Run a server until the block ends; yield its process id once it answers."""
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment["PATH"] = f"{Path(server.command[0]).parent}{os.pathsep}{environment['PATH']}"
    log = server.folder / f"server-{server.port}.log"
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(
            server.command,
            cwd=server.folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait(server, process, log)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def wait(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Send the request until it is answered."""
    url = f"http://127.0.0.1:{server.port}{server.path}"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(server.body).encode(), headers)
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10):
                return
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.read().decode(errors='replace')}"
        except OSError as error:
            reason = str(error)
        if time.monotonic() > end or process.poll() is not None:
            sys.exit(f"{server.name} does not answer: {reason}\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.5)


def tree(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def processor_seconds(pid: int) -> float:
    """Return the processor time of a server so far."""
    ticks = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """Return the memory of a server; what its processes share is counted once."""
    total = 0
    for each in tree(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8")
        total += int(rollup.partition("\nPss:")[2].split()[0])
    return total / 1000


if __name__ == "__main__":
    main()
