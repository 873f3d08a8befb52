"""What keeps a project alive: checks on each system, newer libraries, and no need of uv."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from conftest import PACKAGE, REPOSITORY, Environment, Renders, install, requirements
from in_memory import Renderer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PYTHONS = ["3.11", "3.12", "3.13"]
SYSTEMS = ["ubuntu-latest", "macos-latest", "windows-latest"]
SCHEMAS = {
    ".github/workflows/*.yml": ["vendor.github-workflows"],
    ".github/dependabot.yml": ["vendor.dependabot"],
    ".gitlab-ci.yml": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    "renovate.json": ["vendor.renovate"],
}
USES = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Projects in a folder each, and this repository, with all that services read of them."""
    root = tmp_path_factory.mktemp("made")
    shutil.copytree(REPOSITORY / ".github", root / "ours" / ".github")
    renderer = Renderer()
    for ci in renderer.choices["ci"]:
        for data_source in renderer.choices["data_source"]:
            for path, text in renderer.project(ci=ci, data_source=data_source).items():
                if path.startswith((".", "renovate", "CONTRIBUTING")):
                    place = root / f"{ci}-{data_source}" / path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("pattern", SCHEMAS)
def test_what_services_read_keeps_to_their_schemas(made: Path, pattern: str) -> None:
    paths = sorted(made.glob(f"*/{pattern}"))
    assert paths
    tool("check_jsonschema", "--builtin-schema", *SCHEMAS[pattern], *map(str, paths))


def test_workflows_are_safe(made: Path) -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    folders = map(str, sorted(made.glob("*/.github")))
    done = subprocess.run([zizmor, "--offline", *folders], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


def test_actions_are_named_by_their_commits_the_same_ones_everywhere(made: Path) -> None:
    texts = [path.read_text("utf-8") for path in made.glob("*/.github/workflows/*.yml")]
    found = [pair for text in texts for pair in USES.findall(text)]
    assert len(found) == sum(text.count("uses: ") for text in texts)
    assert len(dict(found)) == len(set(found))


def test_each_change_is_checked_on_all_systems_and_releases_of_python(made: Path) -> None:
    for folder, job in (("github-file", "check"), ("ours", "systems")):
        workflow = read(made / folder / ".github" / "workflows" / "ci.yml")
        matrix = workflow["jobs"][job]["strategy"]["matrix"]
        assert matrix == {"system": SYSTEMS, "python": PYTHONS}
    jobs = read(made / "gitlab-file" / ".gitlab-ci.yml")
    assert jobs["check"]["parallel"]["matrix"] == [{"PYTHON": PYTHONS}]
    (others,) = jobs["check-other-systems"]["parallel"]["matrix"]
    assert others["UV_PYTHON"] == PYTHONS
    assert [runner.split("-")[1] for runner in others["RUNNER"]] == ["macos", "windows"]
    declared = tomllib.loads(Renderer().project()["pyproject.toml"])["project"]["requires-python"]
    assert declared == ">=3.11,<3.14"


def test_a_reader_of_contributing_runs_what_the_services_run(made: Path) -> None:
    workflow = read(made / "github-file" / ".github" / "workflows" / "ci.yml")
    by_github = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    jobs = read(made / "gitlab-file" / ".gitlab-ci.yml")
    for ci in ("github", "gitlab", "none"):
        text = (made / f"{ci}-file" / "CONTRIBUTING.md").read_text("utf-8")
        documented = re.findall(r"^    (uv run (?!pre-commit).*)", text, re.MULTILINE)
        assert by_github == jobs["check"]["script"] == [*documented, "uv run my-model run"]
    assert jobs["check-other-systems"]["script"] == jobs["check"]["script"]


def test_bots_move_the_lock_file_and_leave_the_bounds_to_the_template(made: Path) -> None:
    libraries, actions = read(made / "github-file" / ".github" / "dependabot.yml")["updates"]
    assert libraries["package-ecosystem"] == "uv"
    assert libraries["versioning-strategy"] == "lockfile-only"
    assert actions["package-ecosystem"] == "github-actions"
    renovate = json.loads((made / "gitlab-file" / "renovate.json").read_text("utf-8"))
    assert renovate["rangeStrategy"] == "in-range-only"
    assert not (made / "none-file" / ".github").exists()


def test_a_container_to_develop_in_installs_all_and_shows_the_service() -> None:
    for serving, ports in (("fastapi", [8000]), ("flask", [8000]), ("batch", None)):
        project = Renderer().project(serving=serving)
        container = json.loads(project[".devcontainer/devcontainer.json"])
        assert container["image"].endswith(":3.12")
        assert container["postCreateCommand"] == "pip install 'uv<1' && uv sync"
        assert container.get("forwardPorts") == ports
        assert {*container} <= {
            *("name", "image", "postCreateCommand", "forwardPorts", "customizations")
        }


class Osv(BaseHTTPRequestHandler):
    """Stands for https://osv.dev: it knows a vulnerability of click, whatever its version."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = {"id": "OSV-1", "summary": "A hole.", "modified": "2026-01-01T00:00:00Z"}
        known["affected"] = [{"package": asked["package"], "versions": [asked["version"]]}]
        body = json.dumps({"vulns": [known]} if asked["package"]["name"] == "click" else {})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def osv() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


@pytest.mark.slow
def test_the_check_for_vulnerabilities_names_what_is_known(
    made: Path, render: Renders, osv: str, tmp_path: Path
) -> None:
    workflow = read(made / "github-file" / ".github" / "workflows" / "ci.yml")
    steps = workflow["jobs"]["vulnerabilities"]["steps"]
    export, ask = [step["run"] for step in steps if "run" in step]
    project = shutil.copytree(render(), tmp_path / "my-model")
    run(project, export)
    done = run(project, f"{ask} --osv-url {osv}", check=False)
    assert done.returncode == 1
    assert re.search(r"^click +[\d.]+ +OSV-1", done.stdout, re.MULTILINE), done.stdout
    assert "Found 1 known vulnerability" in done.stderr
    assert "fastapi" in (project / "requirements.txt").read_text("utf-8")
    jobs = read(made / "gitlab-file" / ".gitlab-ci.yml")
    assert jobs["vulnerabilities"]["script"] == [export, ask]


@pytest.mark.slow
def test_a_project_whose_examples_were_deleted_passes_its_checks(
    render: Renders, environment: Environment, tmp_path: Path
) -> None:
    project = shutil.copytree(render(), tmp_path / "my-model")
    for folders in (["src", "examples"], ["src"]):
        python = [path for name in folders for path in (project / name).rglob("*.py")]
        assert f" {len(python)} source files" in environment.run(project, "mypy").stdout
        shutil.rmtree(project / "examples", ignore_errors=True)
    for command in ("ruff check", "ruff format --check", "lint-imports"):
        environment.run(project, *command.split())
    environment.run(project, "python", "-m", "pytest", "-q", "-W", "error")


# Together they need all that any project needs.
ALL_LIBRARIES = [
    {"data_source": "sql", "deployment": "docker", "tracking": "mlflow"},
    {"problem_type": "forecasting", "data_source": "scraping", "serving": "flask"},
]


@pytest.fixture(scope="module")
def oldest(render: Renders) -> Environment:
    """An environment in which each library is as old as pyproject.toml allows."""
    needed = set().union(*(requirements(render(**answers)) for answers in ALL_LIBRARIES))
    return install(needed, "--resolution", "lowest-direct")


@pytest.mark.slow
def test_the_oldest_libraries_that_are_allowed_are_installed(
    render: Renders, oldest: Environment
) -> None:
    freeze = ["uv", "pip", "list", "--quiet", "--format", "json", "--python", str(oldest.path)]
    listed = json.loads(subprocess.run(freeze, check=True, capture_output=True).stdout)
    versions = {each["name"]: Version(each["version"]) for each in listed}
    for line in set().union(*(requirements(render(**answers)) for answers in ALL_LIBRARIES)):
        one = Requirement(line)
        (lowest,) = (Version(each.version) for each in one.specifier if each.operator == ">=")
        assert versions[canonicalize_name(one.name)] == lowest


@pytest.mark.slow
@pytest.mark.parametrize("answers", ALL_LIBRARIES, ids=["rows", "series"])
def test_a_project_works_with_the_oldest_libraries_that_it_allows(
    render: Renders, oldest: Environment, tmp_path: Path, answers: dict[str, str]
) -> None:
    project = shutil.copytree(render(**answers), tmp_path / "my-model")
    said = oldest.run(project, "python", "-m", PACKAGE, "run").stdout
    assert "is the champion" in said
    oldest.run(project, "python", "-m", "pytest", "-q")


@pytest.mark.slow
@pytest.mark.parametrize("source", ["sql", "api", "open_data", "scraping"])
def test_sources_are_read_with_the_oldest_libraries(oldest: Environment, source: str) -> None:
    library = REPOSITORY / "tests" / "library"
    options = ["-q", "-c", os.devnull, "--confcutdir", str(library), "-p", "no:cacheprovider"]
    paths = map(str, (REPOSITORY / "template" / "vendor", library))
    oldest.run(
        REPOSITORY,
        *("python", "-m", "pytest", *options, str(library / f"test_{source}.py")),
        PYTHONPATH=os.pathsep.join(paths),
    )


@pytest.mark.slow
def test_pip_is_enough(render: Renders, tmp_path: Path) -> None:
    """As the README says for those who have no uv."""
    project = shutil.copytree(render(), tmp_path / "my-model")
    readme = (project / "README.md").read_text("utf-8")
    install = re.search(r"`(pip install .*)`, and then\s+`my-model run`", readme)
    assert install is not None
    run(project, f"{sys.executable} -m venv .venv")
    variables = {"PATH": f"{project / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    run(project, f"{install[1]} --quiet", **variables)
    assert "is the champion" in run(project, "my-model run", **variables).stdout
    run(project, "pip install --quiet --upgrade pip", **variables)
    run(project, "pip install --quiet --group dev", **variables)
    run(project, "pytest -q", **variables)


def read(path: Path) -> dict[str, object]:
    return dict(yaml.safe_load(path.read_text("utf-8")))


def tool(module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(
    project: Path, line: str, *, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a line of a workflow or of a document as its reader does."""
    unwanted = {"VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    done = subprocess.run(
        shlex.split(line),
        cwd=project,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done
