"""What the tests share: a small project that was run once, on a sample of this project's data.

The tests follow project.toml. After it is pointed at other data, they test on those.
"""

import contextlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import tomlkit
from click.testing import CliRunner
from sqlalchemy import insert

from {{ cookiecutter.package_name }}.cli import main
from {{ cookiecutter.package_name }}.collection.collect import (
    read_raw,
    read_source,
)
from {{ cookiecutter.package_name }}.deployment.prediction_log import (
    FEEDBACK,
    PREDICTIONS,
    SHADOW,
    TABLES,
    open_log,
)
from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.modeling import CANDIDATES, store
from {{ cookiecutter.package_name }}.modeling.predictor import load_predictor
from {{ cookiecutter.package_name }}.problem import (
    METRICS,
    NEEDS_TARGET,
    PLAIN_SPLIT,
    TYPE,
)
from {{ cookiecutter.package_name }}.problem.definition import check_definition
from {{ cookiecutter.package_name }}.problem.project import open_project
from {{ cookiecutter.package_name }}.problem.sources import SOURCE

ROOT = Path(__file__).parent.parent
ROWS = 600
TARGETS = {"classification": {"positive": "yes", "metric": "roc_auc", "baseline": "prior"}}
TARGETS["regression"] = {"metric": "rmse", "baseline": "mean"}
TARGETS["clustering"] = {"metric": "silhouette", "clusters": [2, 4]}
TARGETS["anomaly_detection"] = {"metric": "stability", "normal": "no", "flagged_share": 0.1}
TARGETS["forecasting"] = {"metric": "mase", "baseline": "seasonal_naive", "horizon": 4}
SERIES = 4
# Settings that a few hundred rows can be tried with: of them too few may be known as anomalies.
QUICK = {"clustering": {"clusters": [2, 3]}, "anomaly_detection": {"metric": "stability"}}


def run_in(folder, *arguments):
    """Run a command of the project in `folder`, as its user would."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])


def edit(project, **tables):
    """Change keys of a project's project.toml, and return the project as it is then."""
    path = project.root / "project.toml"
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    for table, keys in tables.items():
        document[table].update(keys)
    path.write_text(document.as_string(), encoding="utf-8")
    return open_project(project.root)


def serve(project, rows, truth=None, challenger=None):
    """Put predictions for `rows` into the log, as the service does, with their truth."""
    predictor = load_predictor(store.champion_folder(project.models))
    inputs = rows[[column.name for column in predictor.schema.inputs]]
    answers = predictor.predict(inputs)
    beside = load_predictor(project.models / challenger).predict(inputs) if challenger else answers
    engine, now = open_log(project), datetime.now(UTC).replace(tzinfo=None)
    TABLES.create_all(engine)
    with engine.begin() as connection:
        lines = zip(records(inputs), records(answers), records(beside), strict=True)
        for k, (asked, answer, shadow) in enumerate(lines):
            key, at = f"{k:032d}", now + timedelta(microseconds=k)
            line = {"id": key, "at": at, "version": predictor.version}
            connection.execute(insert(PREDICTIONS).values(inputs=asked, answer=answer, **line))
            if truth is not None:
                actual = json.dumps(truth.tolist()[k])
                connection.execute(insert(FEEDBACK).values(prediction=key, at=at, actual=actual))
            if challenger:
                seen = {"prediction": key, "version": challenger, "answer": shadow}
                connection.execute(insert(SHADOW).values(**seen))
    engine.dispose()


def shadowed(project):
    """Let a copy of the champion answer in its shadow; return its version."""
    version = store.champion(project.models)
    copy = f"{version}_{len(store.versions(project.models)) + 1}"
    shutil.copytree(project.models / version, project.models / copy)
    store.set_challenger(project.models, copy)
    return copy


def records(frame):
    """Return each row as the JSON that the log holds."""
    return [json.dumps(row) for row in json.loads(frame.to_json(orient="records"))]


def some(rows, definition):
    """Return a part of the rows that can be learnt from: some of them, or some whole series."""
    if TYPE != "forecasting":
        return rows.sample(min(len(rows), ROWS), random_state=0)
    for name in definition.columns.series_names():
        rows = rows[rows[name].isin(rows[name].unique()[:SERIES])]
    return rows


def plain_split(definition):
    """Return how test rows are taken that are like the others.

    Newer rows may really differ from older ones; then an alarm would be right. And a detector finds
    rows that it has learnt from less strange than new ones.
    """
    if TYPE == "forecasting":
        return {}
    plain = "random" if TYPE == "anomaly_detection" else PLAIN_SPLIT
    return {"by": "group" if definition.columns.group else plain}


def truth_of(project, rows):
    """Return what rows turned out to be: their target, or else what the champion says."""
    if NEEDS_TARGET:
        return rows[project.definition.problem.target]
    return load_predictor(store.champion_folder(project.models)).predict(rows)["prediction"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A project in which `run` was done, and what it printed."""
    real = open_project(ROOT)
    try:
        rows = read_source(real.definition.data, ROOT)
    except UserError as error:
        pytest.skip(f"the data is not here: {error.message}")
    root = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "project.toml", root)
    some(rows, real.definition).to_csv(root / "rows.csv", index=False)
    metric = METRICS[real.definition.problem.metric]
    small = edit(
        SimpleNamespace(root=root),
        # A few hundred rows need not reach the real bar.
        problem={"minimum": -1e12 if metric.higher_is_better else 1e12, **QUICK.get(TYPE, {})},
        data={"path": "rows.csv"},
        models={"candidates": real.definition.models.candidates[:2]},
        search={"method": "none", "folds": 3},
        split=plain_split(real.definition),
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
    schema = load_predictor(store.champion_folder(own.models)).schema
    name = next(c.name for c in schema.inputs if c.kind == "number")
    return tested.assign(**{name: tested[name] + 0.001})


@pytest.fixture(scope="session")
def service(project, tmp_path_factory):
    """One service that answers the tests that do not change it."""
    from served import running  # only where there is a service to test

    root = tmp_path_factory.mktemp("service") / "project"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("*.db*"))
    own = edit(SimpleNamespace(root=root), data={"missing": ["unheard of", "-777"]})
    with running(own) as service:
        yield service
    assert not [line for line in service.said if "Traceback" in line]


@pytest.fixture(scope="session")
def client(service):
    return service.client


@pytest.fixture(scope="session")
def model(client):
    return client.get("/model").json()


@pytest.fixture(scope="session")
def question(model):
    """What the model can be asked, with the rows of its own example."""
    from served import question_of

    return question_of(model)


@pytest.fixture(scope="session")
def truth(model):
    """What a prediction may turn out to be."""
    return model["classes"][0] if model["classes"] else 42.0


@pytest.fixture
def define():
    """Make a definition for data of a test's own, with some tables changed."""

    def make(**changes):
        candidates = list(CANDIDATES)[:2]
        problem = {"type": TYPE, "target": "y", "minimum": 0, **TARGETS[TYPE]}
        tables = {
            "problem": problem,
            "data": {"source": SOURCE, "path": "rows.csv"},
            "models": {"candidates": candidates},
            "constraints": {
                "train_seconds": 60,
                "model_megabytes": 60,
                "predict_milliseconds": 1000,
            },
        }
        others = ("columns", "split", "preparation", "search", "evaluation", "serving")
        tables |= {name: {} for name in (*others, "improvement")}
        if TYPE == "forecasting":
            tables["columns"] = {"date": "date"}
        return check_definition({k: {**v, **changes.get(k, {})} for k, v in tables.items()})

    return make
