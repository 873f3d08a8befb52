"""A service that runs, and what its tests ask of it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import httpx2

from {{ cookiecutter.package_name }}.deployment.prediction_log import (
    open_log,
    read_predictions,
)
from {{ cookiecutter.package_name }}.problem import TYPE
from {{ cookiecutter.package_name }}.problem.project import open_project

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))

from client import Client, Prediction, ServiceError  # noqa: E402

__all__ = ["Client", "Prediction", "ServiceError"]

KEY = "correct-horse-battery-staple"


@contextmanager
def running(project, **variables):
    """Start the service as a user does; yield its process, its client and what it says."""
    package = open_project.__module__.partition(".")[0]
    with subprocess.Popen(  # noqa: S603 -- our own command
        [sys.executable, "-m", package, "serve", "--port", "0"],
        cwd=project.root,
        env=os.environ | variables,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        said = []
        reader = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)
        reader.start()
        try:
            eventually(lambda: "http://" in "".join(said) or process.poll() is not None, 60)
            address = re.search(r"http://127\.0\.0\.1:\d+", "".join(said))[0]
            with httpx2.Client(base_url=address, timeout=30) as client:
                yield SimpleNamespace(
                    project=project, process=process, address=address, client=client, said=said
                )
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            finally:
                kill(process)
            reader.join(timeout=10)


def kill(process):
    """Kill a service with all of its processes, if it still runs."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def eventually(condition, seconds=10):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def logged(project, **choice):
    engine = open_log(project)
    try:
        return read_predictions(engine, **choice)
    finally:
        engine.dispose()


def measured(client, name, **labels):
    """Return one of the metrics, or 0 if it was not counted yet."""
    given = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    pattern = re.escape(name + (given and "{" + given + "}"))
    found = re.search(f"(?m)^{pattern} (.*)$", client.get("/metrics").text)
    return float(found[1]) if found else 0.0


def post(client, body, path="/predict"):
    return client.post(path, content=body if isinstance(body, bytes) else json.dumps(body))


def question_of(model):
    """Return a body for ``POST /predict`` that a model can answer, made of its own example."""
    return model["example"] if TYPE == "forecasting" else {"rows": [model["example"]]}


def printed(service, application, *arguments):
    """Run one of the applications in examples/; return its lines."""
    done = subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, EXAMPLES / application, *arguments],
        env=os.environ | {"SERVICE": service.address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
