"""The client of examples/, against a service that runs and against its own description."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import edit
from test_service import KEY, running

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))

from client import Client, Prediction, ServiceError  # noqa: E402


@pytest.fixture(scope="module")
def service(tmp_path_factory, project):
    """A service that asks for a key."""
    root = tmp_path_factory.mktemp("client") / "project"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("*.db*"))
    own = edit(SimpleNamespace(root=root), serving={"api_keys": "env:KEYS"})
    with running(own, KEYS=KEY) as service:
        yield service


@pytest.fixture
def client(service):
    return Client(service.address, KEY)


def test_predictions_come_in_order_with_their_details(client):
    row = client.model()["example"]
    first, second = client.predict([row, row])
    assert isinstance(first, Prediction)
    assert first.id != second.id
    assert (first.value, first.details) == (second.value, second.details)
    assert first.details
    assert first.warnings == []


def test_many_rows_are_asked_in_parts(client):
    row = client.model()["example"]
    found = list(client.predict_many([row] * 25, at_once=10))
    assert len({prediction.id for prediction in found}) == 25


def test_truth_is_given_back(client):
    model = client.model()
    (prediction,) = client.predict([model["example"]])
    client.feedback(prediction.id, model["classes"][0] if model["classes"] else 42.0)
    with pytest.raises(ServiceError, match="no prediction with the id"):
        client.feedback("0" * 32, model["classes"][0] if model["classes"] else 42.0)


def test_mistakes_say_what_is_wrong(client, service):
    with pytest.raises(ServiceError) as raised:
        client.predict([{"nobody": 1}])
    assert raised.value.status == 422
    assert {"row", "field", "reason"} == raised.value.detail[0].keys()
    assert len(raised.value.request) == 32
    with pytest.raises(ServiceError, match="A key is needed"):
        Client(service.address).model()
    with pytest.raises(ServiceError, match="does not answer"):
        Client("http://127.0.0.1:9", tries=1).model()
    with pytest.raises(ValueError, match="not an address"):
        Client("127.0.0.1:8000")


def test_client_is_what_the_openapi_document_describes(service):
    headers = {"Authorization": f"Bearer {KEY}"}
    document = service.client.get("/openapi.json", headers=headers).json()
    described = {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }
    assert {("post", "/predict"), ("post", "/feedback"), ("get", "/model")} <= described
    schemas = document["components"]["schemas"]
    answer = schemas["Predictions"]["properties"]["predictions"]["items"]["properties"]
    known = {field.name for field in fields(Prediction)} - {"details", "value"}
    assert answer.keys() == known | {"prediction"}
    assert schemas["Rows"]["required"] == ["rows"]
    assert set(schemas["Feedback"]["required"]) == {"id", "actual"}
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path in ("/predict", "/feedback"):
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "401", "413", "422", "500", "503"} <= responses.keys()


def test_application_prints_a_line_for_each_row(service, rows, tmp_path):
    schema = json.loads((service.project.prepared / "schema.json").read_text(encoding="utf-8"))
    few = rows.head(12)[[column["name"] for column in schema["inputs"]]]
    pd.DataFrame(few).to_csv(tmp_path / "new.csv", index=False)
    done = subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, EXAMPLES / "score_rows.py", tmp_path / "new.csv"],
        env=os.environ | {"SERVICE": service.address, "SERVICE_KEY": KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 12
