"""The changes that users make most: the code of each how-to, applied to a project.

Each takes at most two files of src/ and none of vendor/. Afterwards the project lints, type-checks,
passes its own tests, and shows the effect from outside.
"""

import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Environment, change_settings
from edits import apply, change_file, shown

pytestmark = pytest.mark.slow

Command = Callable[..., str]


@pytest.fixture
def project(trained: Callable[[str], Path], request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    serving = getattr(request, "param", "fastapi")
    return shutil.copytree(trained(serving), tmp_path / "churn")


@pytest.fixture
def churn(environment: Environment, project: Path) -> Command:
    """Run a command of the project, and return what it prints."""

    def run(*arguments: str, code: int = 0) -> str:
        done = environment.run(project, "python", "-m", "churn", *arguments, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture
def check(environment: Environment, project: Path) -> Callable[[set[str]], None]:
    """Check a change as the project's own CI does."""

    def run(touched: set[str]) -> None:
        assert 1 <= len(touched) <= 2
        environment.run(project, "ruff", "check", "--quiet", "--fix")  # as its hook does
        environment.run(project, "ruff", "format", "--quiet")
        environment.run(project, "mypy", "--cache-dir", str(project.parent.parent / "mypy"))
        environment.run(project, "python", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")

    return run


def results(project: Path) -> dict[str, Any]:
    return dict(json.loads((project / "reports" / "metrics.json").read_text(encoding="utf-8")))


def page(project: Path) -> str:
    return (project / "reports" / "index.html").read_text(encoding="utf-8")


def skipped(said: str) -> set[str]:
    """Return the steps that a command has skipped."""
    lines = re.sub(r"\n {10}", " ", said).splitlines()
    return {line.split()[0] for line in lines if "unchanged, skipped" in line}


Check = Callable[[set[str]], None]


def test_a_feature_of_one_row(project: Path, churn: Command, check: Check) -> None:
    check(apply(project, "feature.md"))
    assert skipped(churn("run")) == {"collect", "define"}
    schema = json.loads((project / "data" / "prepared" / "schema.json").read_text("utf-8"))
    assert "share_borrowed" in {column["name"] for column in schema["features"]}
    assert "share_borrowed" not in {column["name"] for column in schema["inputs"]}


def test_a_fitted_feature(project: Path, churn: Command, check: Check) -> None:
    before = results(project)["leaderboard"]
    check(apply(project, "fitted-feature.md"))
    assert skipped(churn("run")) == {"collect", "define", "prepare", "explore"}
    assert results(project)["leaderboard"] != before


def test_a_candidate(project: Path, churn: Command, check: Check) -> None:
    check(apply(project, "candidate.md"))
    assert skipped(churn("run")) == {"collect", "define", "prepare", "explore"}
    assert {line["model"] for line in results(project)["leaderboard"]} == {
        "logistic",
        "ada_boost",
    }


def test_a_candidate_of_another_library(project: Path, churn: Command, check: Check) -> None:
    path = project / "src/churn/modeling/candidates/classification.py"
    change_file(path, shown("candidate.md", "from lightgbm"))
    change_settings(project, models={"candidates": ["lightgbm"]})
    check({str(path)})
    churn("run")
    assert results(project)["model"] == "lightgbm"


def test_a_candidate_of_a_class_of_ones_own(project: Path, churn: Command, check: Check) -> None:
    path = project / "src/churn/modeling/candidates/classification.py"
    change_file(path, shown("candidate.md", "class Vote"))
    names = project / "src/churn/modeling/__init__.py"
    change_file(names, shown("candidate.md", "TRUSTED"))
    change_settings(project, models={"candidates": ["vote", "tree"]})
    check({str(path), str(names)})
    churn("run")
    assert {line["model"] for line in results(project)["leaderboard"]} == {"vote", "tree"}

    path.write_text(path.read_text("utf-8").replace("np.unique(y)", "np.unique(y)[7, 7]"))
    said = churn("run", code=1)
    assert "Traceback" in said
    assert "classification.py" in said


def test_a_metric(project: Path, churn: Command, check: Check) -> None:
    check(apply(project, "metric.md"))
    assert skipped(churn("run")) >= {"collect", "prepare", "explore"}
    found = results(project)
    assert found["metric"] == "cost"
    assert found["test"]["cost"]["low"] <= found["test"]["cost"]["high"]
    assert any("Cost of a loan" in check["what"] for check in found["gate"]["checks"])
    assert "Cost of a loan" in page(project)


def test_a_plot_in_the_evaluation(project: Path, churn: Command, check: Check) -> None:
    check(apply(project, "evaluation-plot.md"))
    models = set((project / "models").iterdir())
    assert skipped(churn("run")) == {"collect", "define", "prepare", "explore", "train"}
    assert "share predicted bad" in page(project)
    assert set((project / "models").iterdir()) == models


def test_a_plot_in_the_exploration(project: Path, churn: Command, check: Check) -> None:
    check(apply(project, "exploration-plot.md"))
    assert skipped(churn("run")) == {"collect", "define", "prepare", "train", "evaluate"}
    assert "Age and income" in page(project)


def test_a_split_rule(
    project: Path, churn: Command, check: Check, environment: Environment
) -> None:
    check(apply(project, "split.md"))
    assert skipped(churn("run")) == {"collect", "define"}
    script = (
        "import pandas as pd; train, test = (pd.read_parquet(f'data/prepared/{name}.parquet').index"
        " for name in ('train', 'test')); print(train.max() < test.min())"
    )
    assert environment.run(project, "python", "-c", script).stdout.strip() == "True"


def test_a_data_source(project: Path, churn: Command, check: Check) -> None:
    header, *rows = (project / "data/sample/credit.csv").read_text("utf-8").splitlines()
    exports = project / "data" / "exports"
    exports.mkdir()
    for year, part in {"2025": rows[:900], "2026": rows[900:1500]}.items():
        (exports / f"{year}.csv").write_text("\n".join([header, *part]), encoding="utf-8")
    check(apply(project, "data-source.md"))
    assert "1,500 rows" in churn("run")
    (exports / "2027.csv").write_text("\n".join([header, *rows[1500:]]), encoding="utf-8")
    assert "2,000 rows" in churn("collect")


of_both = pytest.mark.parametrize("project", ["fastapi", "flask"], indirect=True)


@of_both
def test_an_endpoint(project: Path, check: Check, environment: Environment) -> None:
    check(apply(project, "endpoint.md"))
    with environment.serve(project, package="churn") as address:
        assert fetch(f"{address}/limits") == (200, {"share": 0.9})
        loan = {"amount": 950, "price": 1000}
        assert fetch(f"{address}/limits", loan) == (200, {"within": False})
        described = fetch(f"{address}/openapi.json")[1]["paths"]
        assert {"get", "post"} <= set(described["/limits"])
        assert "post" in described["/predict"]


@of_both
def test_authentication_and_middleware(
    project: Path, check: Check, environment: Environment
) -> None:
    check(apply(project, "dependency.md"))
    with environment.serve(project, package="churn") as address:
        assert fetch(f"{address}/whoami")[0] == 401
        assert fetch(f"{address}/whoami", tenant="north") == (200, {"tenant": "north"})
        with urllib.request.urlopen(f"{address}/health/live", timeout=30) as response:
            assert response.headers["X-Service"] == "churn"


def test_a_rule_of_the_gate(project: Path, churn: Command, check: Check) -> None:
    touched = apply(project, "gate.md")
    check(touched)
    path = project / "src/churn/evaluation/gate.py"
    assert skipped(churn("run", code=1 if "0.5" not in path.read_text("utf-8") else 0)) == {
        "collect",
        "define",
        "prepare",
        "explore",
        "train",
    }
    path.write_text(path.read_text("utf-8").replace("found >= 0.5", "found >= 1.01"))
    churn("evaluate", code=1)
    assert any("bad loans are found" in reason for reason in results(project)["gate"]["reasons"])


def test_a_rule_of_promotion(project: Path, churn: Command, check: Check) -> None:
    check(apply(project, "promotion.md"))
    champion = json.loads((project / "models/champion.json").read_text("utf-8"))["version"]
    churn("improve", "--force")
    assert json.loads((project / "models/champion.json").read_text("utf-8"))["version"] == champion
    last = (project / "models/history.jsonl").read_text("utf-8").splitlines()[-1]
    assert json.loads(last)["event"] == "kept"


def test_a_business_rule(
    project: Path, churn: Command, check: Check, environment: Environment, tmp_path: Path
) -> None:
    check(apply(project, "business-rule.md"))
    assert skipped(churn("run")) == {"collect", "define", "prepare", "explore", "train"}
    scored = tmp_path / "scored.csv"
    churn("predict", "data/sample/credit.csv", str(scored))
    header, *lines = (line.split(",") for line in scored.read_text("utf-8").splitlines())
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert {row["prediction"] for row in rows if int(row["age"]) < 21} == {"bad"}
    young = next(row for row in rows if int(row["age"]) < 21)
    asked = {name: value or None for name, value in young.items() if name in header[:14]}
    with environment.serve(project, package="churn") as address:
        _, answer = fetch(f"{address}/predict", {"rows": [asked]})
    assert answer["predictions"][0]["prediction"] == "bad"


def test_an_expectation_that_data_must_meet(project: Path, churn: Command, check: Check) -> None:
    check(apply(project, "expectation.md"))
    churn("define")
    path = project / "data/sample/credit.csv"
    header, first, *rows = path.read_text("utf-8").splitlines()
    cells = first.split(",")
    cells[header.split(",").index("amount")] = "99999999"
    path.write_text("\n".join([header, ",".join(cells), *rows]), encoding="utf-8")
    said = churn("run", code=2)
    assert "1 loans are larger than ten times the price, the first in row 1" in said
    assert "Traceback" not in said


def test_a_command_of_ones_own(project: Path, churn: Command, check: Check) -> None:
    check(apply(project, "command.md"))
    assert churn("bar").strip() == "roc_auc of 0.75"
    assert "bar" in churn("--help")


def fetch(url: str, body: object = None, tenant: str = "") -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a response."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    if tenant:
        request.add_header("X-Tenant", tenant)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, {}
