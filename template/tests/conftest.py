"""What the tests share: a small copy of this project, in which `run` was done on its own data.

The tests hold for any data that project.toml names, and for features, metrics and rules that you
add: they expect no figures, and no model that passes the gate.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
import tomlkit
from click.testing import CliRunner
from mlsteps import UserError, open_project
from mlsteps.collection import read_raw

from {{ cookiecutter.package_name }}.cli import main
from {{ cookiecutter.package_name }}.modeling.predictor import load_model
from {{ cookiecutter.package_name }}.preparation.clean import clean

ROOT = Path(__file__).parent.parent
PACKAGE = load_model.__module__.partition(".")[0]
ROWS = 600  # of the data, the newest: enough to try everything in seconds
WRITTEN = {"raw", "prepared"}  # by the steps


def run_in(folder, *arguments):
    """Run a command of the project in `folder`, as its user would; an exception stays one."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)


def edit(path, **tables):
    """Change keys of a project.toml."""
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    for table, keys in tables.items():
        document[table].update(keys)
    path.write_text(document.as_string(), encoding="utf-8")


def share(path, place):
    """Let a file or folder be in another place too; Windows may not, and gets a copy."""
    try:
        place.symlink_to(path)
    except OSError:
        (shutil.copytree if path.is_dir() else shutil.copy)(path, place)


def copy_project(root):
    """Copy what `run` needs to a folder, with settings that take seconds and reach nobody else."""
    definition = open_project(ROOT).definition
    (root / "data").mkdir(parents=True)
    for part in (ROOT / "data").iterdir():
        if part.name not in WRITTEN:
            share(part, root / "data" / part.name)
    (root / "project.toml").write_text((ROOT / "project.toml").read_text("utf-8"), "utf-8")
    path = definition.data.path
    if path and "://" not in path and not path.startswith("env:"):
        path = (ROOT / Path(path).expanduser()).as_posix()
    edit(
        root / "project.toml",
        data={"path": path},
        models={"candidates": definition.models.candidates[:2]},
        search={"method": "none", "folds": min(3, definition.search.folds)},
        split={} if definition.problem.of_series else {"newest_rows": ROWS},
        serving={"log": "sqlite:///predictions.db", "api_keys": "", "page": True, "docs": True},
        improvement={"tracking": "json"},
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A project with a model, and what `run` printed."""
    root = tmp_path_factory.mktemp("project") / ROOT.name
    copy_project(root)
    collected = run_in(root, "collect")
    if collected.exit_code == UserError.exit_code:
        pytest.skip(f"the data is not here: {collected.output}")
    run = run_in(root, "run")
    if run.exit_code == UserError.exit_code:  # a class, say, is too rare in so few rows: take all
        own = open_project(ROOT).definition
        split = own.split.model_dump(include={"newest_rows"})
        edit(root / "project.toml", split=split, models=own.models.model_dump())
        run = run_in(root, "run")
    return open_project(root), run


@pytest.fixture(scope="session")
def project(trained):
    """The project, in which the newest model serves, whatever the gate says of so few rows."""
    project, run = trained
    assert run.exit_code in (0, 1), run.output
    champion = project.models / "champion.json"
    if not champion.exists():
        version = max(path.parent.name for path in project.models.glob("*/run.json"))
        champion.write_text(json.dumps({"version": version, "predecessors": []}), "utf-8")
    return project


@pytest.fixture(scope="session")
def results(project):
    """What `evaluate` wrote."""
    return json.loads((project.reports / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def model(project, results):
    """The model that serves."""
    return load_model(project.models / results["version"])


@pytest.fixture(scope="session")
def rows(project):
    """Rows as they were collected, some of those that the model has learnt from."""
    learnt = pd.read_parquet(project.prepared / "train.parquet").index
    return clean(read_raw(project)).loc[learnt].tail(50)


class Service:
    """A service that runs, and what it says to a request."""

    def __init__(self, address):
        self.address = address

    def __call__(self, path, body=None):
        """Return the status and the body of the response to a request."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture(scope="session")
def service(project):
    """The service, started as its user starts it, on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", PACKAGE, "serve", "--port", "0"],
        cwd=project.root,
        env=os.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(r"http://[^\s\"]+", "".join(lines))):
            assert process.poll() is None, "".join(lines)
            assert time.monotonic() < deadline, "the service does not start"
            time.sleep(0.05)
        yield Service(found.group())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        reader.join(timeout=30)
        process.stderr.close()
