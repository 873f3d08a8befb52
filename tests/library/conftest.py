"""What the tests of the library share: a small project that was run once for each problem type.

A module says with ``PROBLEM_TYPES`` for which types its tests run; without it, for classification.
With ``SERVINGS`` it says which frameworks serve; without it, FastAPI does.
"""

import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
from mlsteps.collection import read_raw
from mlsteps.problem.definition import check_definition
from mlsteps.problem.metric import all_metrics
from mlsteps.problem.project import open_project
from project import at, edit, load, part, project_toml, run_in, sample
from served import example_of, running

ROWS = 600
SERIES = 4
TARGETS = {
    "classification": {"positive": "yes", "metric": "roc_auc", "baseline": "prior"},
    "regression": {"metric": "rmse", "baseline": "mean"},
    "clustering": {"metric": "silhouette", "clusters": [2, 4]},
    "anomaly_detection": {"metric": "stability", "normal": "no", "flagged_share": 0.1},
    "forecasting": {"metric": "mase", "baseline": "seasonal_naive", "horizon": 4},
}
# Settings that a few hundred rows can be tried with: of them too few may be known as anomalies.
QUICK = {"clustering": {"clusters": [2, 3]}, "anomaly_detection": {"metric": "stability"}}


def pytest_generate_tests(metafunc):
    if "problem_type" in metafunc.fixturenames:
        types = getattr(metafunc.module, "PROBLEM_TYPES", ["classification"])
        metafunc.parametrize("problem_type", types, indirect=True, scope="session")
    if "serving" in metafunc.fixturenames:
        servings = getattr(metafunc.module, "SERVINGS", ["fastapi"])
        metafunc.parametrize("serving", servings, indirect=True, scope="session")


@pytest.fixture(scope="session")
def problem_type(request):
    return request.param


def some(rows, definition):
    """Return a part of the rows that can be learnt from: some of them, or some whole series."""
    if not definition.problem.of_series:
        return rows.sample(min(len(rows), ROWS), random_state=0)
    for name in definition.columns.series_names():
        rows = rows[rows[name].isin(rows[name].unique()[:SERIES])]
    return rows


def plain_split(definition):
    """Return how test rows are taken that are like the others.

    Newer rows may really differ from older ones; then an alarm would be right. And a detector finds
    rows that it has learnt from less strange than new ones.
    """
    problem = definition.problem
    if problem.of_series:
        return {}
    plain = "random" if problem.type == "anomaly_detection" else problem.plain_split
    return {"by": "group" if definition.columns.group else plain}


@pytest.fixture(scope="session")
def trained(problem_type, tmp_path_factory):
    """A project in which `run` was done, and what it printed."""
    root = tmp_path_factory.mktemp(problem_type)
    (root / "project.toml").write_text(project_toml(problem_type), encoding="utf-8")
    definition = open_project(root).definition
    some(pd.read_csv(sample(problem_type)), definition).to_csv(root / "rows.csv", index=False)
    metric = all_metrics(problem_type, {})[definition.problem.metric]
    small = edit(
        at(root),
        # A few hundred rows need not reach the real bar.
        problem={
            "minimum": -1e12 if metric.higher_is_better else 1e12,
            **QUICK.get(problem_type, {}),
        },
        data={"path": "rows.csv"},
        models={"candidates": definition.models.candidates[:2]},
        search={"method": "none", "folds": 3},
        split=plain_split(definition),
        constraints={"predict_milliseconds": 10_000},
        improvement={"minimum_rows": 50},
    )
    return SimpleNamespace(project=small, result=run_in(root, "run"))


@pytest.fixture(scope="session")
def project(trained):
    """A project with a champion. Only look at it; `own` is for changing."""
    assert trained.result.exit_code == 0, trained.result.output
    return trained.project


@pytest.fixture
def own(project, tmp_path):
    """A copy of the project that a test may change."""
    shutil.copytree(project.root, tmp_path / "own", ignore=shutil.ignore_patterns("*.db*"))
    return open_project(tmp_path / "own")


@pytest.fixture
def rows(project):
    """The rows of the project, as collected."""
    return read_raw(project)


@pytest.fixture
def new_rows(own, rows):
    """Rows to predict: hardly other than those of the test set, so nothing has changed."""
    tested = rows.loc[pd.read_parquet(own.prepared / "test.parquet").index]
    name = next(c.name for c in load(own).schema.inputs if c.kind == "number")
    return tested.assign(**{name: tested[name] + 0.001})


@pytest.fixture(scope="session")
def serving(request):
    return request.param


@pytest.fixture(scope="session")
def service(project, serving, tmp_path_factory):
    """A service for the tests that do not change it."""
    root = tmp_path_factory.mktemp("service") / "project"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("*.db*"))
    with running(edit(at(root), data={"missing": ["unheard of", "-777"]}), serving) as service:
        yield service
    assert not [line for line in service.log if "Traceback" in line]


@pytest.fixture(scope="session")
def client(service):
    return service.client


@pytest.fixture(scope="session")
def model(client):
    return client.get("/model").json()


@pytest.fixture(scope="session")
def example(model):
    """A body for ``POST /predict``."""
    return example_of(model)


@pytest.fixture
def add_features(problem_type, monkeypatch):
    """Replace the function of the project that makes features."""

    def replace(function):
        for name in ("pipeline", "modeling.predictor"):
            monkeypatch.setattr(part(problem_type, name), "add_features", function)

    return replace


@pytest.fixture
def define(problem_type):
    """Make a definition for data of a test's own, with some tables changed."""

    def make(**changes):
        candidates = list(part(problem_type, "modeling.candidates").CANDIDATES)[:2]
        problem = {"type": problem_type, "target": "y", "minimum": 0, **TARGETS[problem_type]}
        tables = {
            "problem": problem,
            "data": {"source": "file", "path": "rows.csv"},
            "models": {"candidates": candidates},
            "constraints": {
                "train_seconds": 60,
                "model_megabytes": 60,
                "predict_milliseconds": 1000,
            },
        }
        others = ("columns", "split", "preparation", "search", "evaluation", "serving")
        tables |= {name: {} for name in (*others, "improvement")}
        if problem_type == "forecasting":
            tables["columns"] = {"date": "date"}
        return check_definition({k: {**v, **changes.get(k, {})} for k, v in tables.items()})

    return make
