"""What MLflow is told: runs with their files and models, and who is champion."""

import numpy as np
import pandas as pd
import pytest
from mlsteps.modeling import store
from project import edit, load, run_in

pytest.importorskip("mlflow")
from mlflow import MlflowClient, artifacts, set_tracking_uri
from mlflow.sklearn import load_model

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow warns of other versions than its own


@pytest.fixture(autouse=True)
def _mlflow(own):
    edit(own, improvement={"tracking": "mlflow"})


@pytest.fixture
def client(own):
    """A registry that was told of the project."""
    assert "1 new in MLflow" in run_in(own.root, "evaluate").output
    set_tracking_uri(f"sqlite:///{own.root / 'mlflow.db'}")
    return MlflowClient()


def test_a_run_has_parameters_metrics_report_and_files(own, client):
    version = store.champion(own.models)
    registered = client.get_model_version_by_alias(own.root.name, "champion")
    assert registered.tags["version"] == version
    run = client.get_run(registered.run_id)
    assert run.data.params["problem.metric"] == own.definition.problem.metric
    assert f"test_{own.definition.problem.metric}" in run.data.metrics
    page = artifacts.load_text(f"runs:/{run.info.run_id}/report/index.html")
    assert "Evaluation" in page
    files = [item.path for item in client.list_artifacts(run.info.run_id, "version")]
    assert {"version/card.md", "version/model.skops"} <= set(files)


def test_the_registered_model_is_the_one_that_serves(own, client):
    features = pd.read_parquet(own.models / store.champion(own.models) / "reference.parquet")
    loaded = load_model(f"models:/{own.root.name}@champion")
    served = load(own).pipeline
    assert np.array_equal(loaded.predict(features), served.predict(features))


def test_aliases_follow_the_champion(own, client):
    first = store.champion(own.models)
    edit(own, search={"seed": 1})
    run_in(own.root, "run")
    second = store.champion(own.models)
    assert second != first

    def alias(name):
        return client.get_model_version_by_alias(own.root.name, name).tags["version"]

    assert alias("champion") == second
    run_in(own.root, "rollback")
    assert (alias("champion"), alias("challenger")) == (first, second)
    assert "0 new in MLflow" in run_in(own.root, "promote", second).output
    assert alias("champion") == second


def no_server(own, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    return "127.0.0.1"


def no_database(own, monkeypatch):
    (own.root / "mlflow.db").mkdir()
    return "unable to open database file"


def no_folder_for_files(own, monkeypatch):
    (own.root / "mlruns").touch()
    return "mlruns"


def no_driver(own, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+absent://127.0.0.1/mlflow")
    return "absent"


@pytest.mark.parametrize("trouble", [no_server, no_database, no_folder_for_files, no_driver])
def test_what_cannot_be_told_stops_nothing(own, monkeypatch, trouble):
    reason = trouble(own, monkeypatch)
    version = store.champion(own.models)
    done = run_in(own.root, "promote", version)
    assert done.exit_code == 0, done.output
    assert f"{version} is the champion" in done.output
    told = [line for line in done.output.splitlines() if "MLflow" in line]
    assert len(told) == 1
    assert "nothing is recorded in MLflow (" in told[0]
    assert reason in told[0]
    assert told[0].endswith("); the next command tries again.")
    assert "Traceback" not in done.output
