"""A service that runs in a process of its own, as a user starts it, and what tests send it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import httpx2
from mlsteps.deployment.prediction_log import open_log, read_predictions
from project import FOLDER, TEMPLATE, package

EXAMPLES = TEMPLATE / "examples"
sys.path.insert(0, str(EXAMPLES))

from client import Client, Prediction, ServiceError  # noqa: E402

__all__ = ["Client", "Prediction", "ServiceError"]

KEY = "correct-horse-battery-staple"


@contextmanager
def running(project, serving="fastapi", folder=FOLDER, **variables):
    """Start a service; yield its process, its address, a client and the lines of its log.

    The packages stand in `folder`: a test may have changed a copy.
    """
    name = package(project.definition.problem.type, serving).__name__
    path = os.pathsep.join([str(folder), str(TEMPLATE / "vendor")])
    with subprocess.Popen(
        [sys.executable, "-m", name, "serve", "--port", "0"],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": path} | variables,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
        reader.start()
        try:
            eventually(lambda: "http://" in "".join(lines) or process.poll() is not None, 60)
            found = re.search(r"http://127\.0\.0\.1:\d+", "".join(lines))
            assert found, "".join(lines)
            with httpx2.Client(base_url=found[0], timeout=30) as client:
                yield SimpleNamespace(
                    project=project, process=process, address=found[0], client=client, log=lines
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


def eventually(condition, seconds=60):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def logged(project, **choice):
    """Return what the log holds."""
    with open_log(project) as engine:
        return read_predictions(engine, **choice)


def measured(client, name, **labels):
    """Return one of the metrics, or 0 if it was not counted yet."""
    return value_in(client.get("/metrics").text, name, **labels)


def value_in(text, name, **labels):
    given = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    pattern = re.escape(name + (given and "{" + given + "}"))
    found = re.search(f"(?m)^{pattern} (.*)$", text)
    return float(found[1]) if found else 0.0


def post(client, body, path="/predict"):
    return client.post(path, content=body if isinstance(body, bytes) else json.dumps(body))


def example_of(model):
    """Return a body for ``POST /predict``, made of the model's own example."""
    forecasts = model["problem"] == "forecasting"
    return model["example"] if forecasts else {"rows": [model["example"]]}


def printed(service, application, *arguments):
    """Run one of the applications in examples/; return its lines."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / application, *arguments],
        env=os.environ | {"SERVICE": service.address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
