"""Projects of each problem type, run from end to end as their users run them."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.request
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from combinations import CHOICES
from conftest import PACKAGE, REPOSITORY, Environment, Renders, Template, git
from other_data import DATA

pytestmark = pytest.mark.slow

TARGETS = {"classification": "diagnosis", "regression": "progression"}  # others have none


of_rows = pytest.mark.parametrize(
    "problem_type",
    [kind for kind in CHOICES["problem_type"] if kind != "forecasting"],
    indirect=True,
)


@pytest.fixture(params=CHOICES["problem_type"])
def problem_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(finished: Callable[[str], Path], problem_type: str, tmp_path: Path) -> Path:
    """A copy of a finished project that a test may change."""
    return shutil.copytree(finished(problem_type), tmp_path / "my-model")


def command(
    environment: Environment, project: Path, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return environment.run(project, "python", "-m", PACKAGE, *arguments, check=check)


def own_tests(environment: Environment, project: Path) -> None:
    """Run the tests of a project, in which a warning fails as well."""
    options = ("-q", "-W", "error", "-p", "no:cacheprovider")
    environment.run(project, "python", "-m", "pytest", *options)


def ask(url: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return dict(json.load(answer))


def test_run_promotes_a_model_and_leaves_one_page(project: Path) -> None:
    champion = json.loads((project / "models" / "champion.json").read_text())["version"]
    results = json.loads((project / "reports" / "metrics.json").read_text())
    assert results["version"] == champion
    assert results["gate"]["passed"]
    page = (project / "reports" / "index.html").read_text(encoding="utf-8")
    assert page.count('class="card done"') == 7  # improvement has not begun yet
    assert not re.search(r'(src|href)="https?:', page)
    assert len(page) < 3_000_000


def test_a_projects_own_tests_pass(project: Path, environment: Environment) -> None:
    own_tests(environment, project)


@pytest.mark.parametrize("name", DATA)
def test_a_projects_own_tests_pass_on_other_data(
    name: str, render: Renders, environment: Environment, tmp_path: Path
) -> None:
    problem_type, make, target = DATA[name]
    project = shutil.copytree(render(problem_type=problem_type), tmp_path / "my-model")
    make(np.random.default_rng(0)).to_csv(project / "other.csv", index=False)
    path = project / "project.toml"
    if name == "few":  # of one class there are three rows
        path.write_text(re.sub("folds = 5", "folds = 2", path.read_text("utf-8")), "utf-8")
    named = ["--target", target] if target else []
    command(environment, project, "define", "--data", "other.csv", *named)
    own_tests(environment, project)


def test_mlflow_is_told_of_every_run(
    render: Renders, environment: Environment, tmp_path: Path
) -> None:
    project = shutil.copytree(render(tracking="mlflow"), tmp_path / "my-model")
    command(environment, project, "run")
    champion = json.loads((project / "models" / "champion.json").read_text())["version"]
    code = """
from mlflow import MlflowClient
client = MlflowClient(tracking_uri="sqlite:///mlflow.db")
registered = client.get_model_version_by_alias("my-model", "champion")
print(registered.tags["version"], *sorted(client.get_run(registered.run_id).data.metrics))
"""
    version, *metrics = environment.run(project, "python", "-c", code).stdout.split()
    assert version == champion
    results = json.loads((project / "reports" / "metrics.json").read_text())
    assert {f"test_{name}" for name in results["test"]} <= {*metrics}


@of_rows
def test_a_file_of_ones_own_goes_from_define_to_a_served_prediction(
    problem_type: str, project: Path, environment: Environment, tmp_path: Path
) -> None:
    data, target = tmp_path / "patients.csv", TARGETS.get(problem_type)
    script = REPOSITORY / "tests" / "awkward_data.py"
    environment.run(project, "python", str(script), problem_type, str(data))

    named = ["--target", target] if target else []
    said = command(environment, project, "define", "--data", str(data), *named).stdout
    suspects = ["patient", "country", "copy", *(["treatment"] if target else [])]
    for suspect in suspects:
        assert f'"{suspect}"' in said
    definition = (project / "project.toml").read_text(encoding="utf-8")
    if target:
        assert re.search(r"unknown_at_prediction = \[\s*\"treatment\"", definition)
        assert 'date = "visit"' in definition
    command(environment, project, "run")
    results = json.loads((project / "reports" / "metrics.json").read_text())
    assert results["gate"]["passed"]

    scored = tmp_path / "scored.csv"
    command(environment, project, "predict", str(data), str(scored))
    head, first = scored.read_text(encoding="utf-8").splitlines()[:2]
    by_file = dict(zip(head.split(","), first.split(","), strict=True))
    head, first = data.read_text(encoding="utf-8").splitlines()[:2]
    given = dict(zip(head.split(","), first.split(","), strict=True))
    with environment.serve(project) as address:
        inputs = {c["name"] for c in ask(f"{address}/model")["inputs"]}
        assert not inputs & {*suspects, target}
        row = {name: value or None for name, value in given.items() if name in inputs}
        answer = ask(f"{address}/predict", {"rows": [row]})
    (by_service,) = answer["predictions"]
    for name in by_file.keys() & by_service.keys():
        if isinstance(by_service[name], float):
            assert float(by_file[name]) == pytest.approx(by_service[name], rel=1e-12)
        else:
            assert by_file[name] == by_service[name]


@of_rows
def test_the_loop_closes(problem_type: str, project: Path, environment: Environment) -> None:
    """Predictions are served, their truth comes back, and the next round learns from it."""
    rows = data_rows(project)
    rows = rows[:: len(rows) // 150][:150]
    definition = tomllib.loads((project / "project.toml").read_text(encoding="utf-8"))
    target, predicted = definition["problem"]["target"], problem_type in TARGETS
    with environment.serve(project) as address:
        inputs = [c["name"] for c in ask(f"{address}/model")["inputs"]]
        asked = [{name: row[name] for name in inputs} for row in rows]
        for row in asked:
            row.update({name: jittered(value) for name, value in row.items()})
        predictions = ask(f"{address}/predict", {"rows": asked})["predictions"]
        for prediction, row in zip(predictions, rows, strict=True):
            truth = row[target] if predicted else prediction["prediction"]
            actual = float(truth) if predicted and truth[0].isdigit() else truth
            ask(f"{address}/feedback", {"id": prediction["id"], "actual": actual})
    watched = command(environment, project, "monitor", check=False)
    assert watched.returncode in (0, 1), watched.stderr
    improved = command(environment, project, "improve").stdout
    # Of anomalies the truth here is what the champion said, and a distance is about as good at it:
    # in which order the labels came decides whether the challenger is refused for being worse.
    refused = problem_type == "anomaly_detection" and "it must not be worse" in improved
    assert refused or "of the challenger is" in improved
    status = command(environment, project, "status").stdout
    assert status.count("gate passed") == (1 if refused else 2)
    if "the champion stays" not in improved:
        command(environment, project, "rollback")
    page = (project / "reports" / "index.html").read_text(encoding="utf-8")
    assert page.count('class="card done"') == 8


@pytest.mark.parametrize("problem_type", ["forecasting"], indirect=True)
def test_the_loop_of_forecasts_closes(project: Path, environment: Environment) -> None:
    """Forecasts are served, their truth comes back, and the next round learns from it."""
    with environment.serve(project) as address:
        model = ask(f"{address}/model")
        predictions = ask(f"{address}/predict", {"horizon": model["horizon"]})["predictions"]
        assert len(predictions) == model["horizon"] * len(model["series"]["labels"])
        for prediction in predictions:
            actual = round(1.02 * prediction["prediction"], 1)
            ask(f"{address}/feedback", {"id": prediction["id"], "actual": actual})
    watched = command(environment, project, "monitor", check=False)
    assert watched.returncode in (0, 1), watched.stderr
    improved = command(environment, project, "improve").stdout
    assert f"to {predictions[-1]['date'][:10]}" in improved  # the truth is part of the series now
    compared, refused = f"on the same {len(predictions):,} rows", "the challenger failed the gate"
    assert compared in improved or refused in improved
    with environment.serve(project) as address:
        until = ask(f"{address}/model")["history"]["until"]
    promoted = "the champion stays" not in improved
    assert until == (predictions[-1]["date"] if promoted else model["history"]["until"])


def test_a_new_champion_is_served_without_a_restart(
    project: Path, environment: Environment
) -> None:
    with environment.serve(project) as address:
        before = ask(f"{address}/model")["version"]
        command(environment, project, "run", "--force")
        after = json.loads((project / "models" / "champion.json").read_text())["version"]
        assert after != before
        deadline = time.monotonic() + 60
        while ask(f"{address}/model")["version"] != after:
            assert time.monotonic() < deadline, "the new champion is not served"
            time.sleep(0.2)


@pytest.fixture
def bare_machine(template: Template, tmp_path: Path) -> Callable[..., str]:
    """Somebody who has Python, git and a clone of the template, and no more, types a command."""
    git(tmp_path, "clone", "--quiet", str(template.path), "clone")
    venv.create(tmp_path / "python", with_pip=True)
    programs = tmp_path / "python" / "bin"
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    path = os.pathsep.join([str(programs), f"{sys.base_prefix}/bin", "/usr/bin", "/bin"])

    def type_in(command: str, **variables: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=tmp_path / "clone",
            env=kept | variables | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return type_in


def test_the_demo_of_the_readme_answers(bare_machine: Callable[..., str]) -> None:
    said = bare_machine("python demo.py")
    assert '"prediction"' in said
    report = re.search(r"The report is (.+)", said)
    assert report is not None
    assert Path(report[1]).is_file()


def test_the_tests_run_as_the_readme_says(bare_machine: Callable[..., str]) -> None:
    one = "tests/test_docs.py -k every_page_is_reached"
    assert "1 passed" in bare_machine("pip install uv && uv run pytest", PYTEST_ADDOPTS=one)


def data_rows(project: Path) -> list[dict[str, str | None]]:
    (sample,) = (project / "data" / "sample").glob("*.csv")
    head, *lines = sample.read_text(encoding="utf-8").splitlines()
    rows = (
        [cell if cell not in ("", "NA") else None for cell in line.split(",")] for line in lines
    )
    return [dict(zip(head.split(","), row, strict=True)) for row in rows]


def jittered(value: str | None) -> object:
    """Change a number by next to nothing, so that its row is a new one."""
    return float(value) + 1e-6 if value and value.isdigit() else value
