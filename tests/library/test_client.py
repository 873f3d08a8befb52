"""The client of examples/, against a service that runs and against its own description."""

import shutil
import threading
from contextlib import contextmanager
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, HTTPServer
from inspect import signature

import pytest
from project import at, edit
from served import KEY, Client, Prediction, ServiceError, running

PROBLEM_TYPES = ["classification", "forecasting"]
SERVINGS = ["fastapi", "flask"]


@pytest.fixture(scope="module")
def service(tmp_path_factory, project, serving):
    """A service that asks for a key."""
    root = tmp_path_factory.mktemp("client") / "project"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("*.db*"))
    own = edit(at(root), serving={"api_keys": "env:KEYS"})
    with running(own, serving, KEYS=KEY) as service:
        yield service


@pytest.fixture
def client(service):
    return Client(service.address, KEY)


@pytest.fixture
def forecasts(problem_type):
    return problem_type == "forecasting"


def predict(client):
    """Predict the model's own example."""
    model = client.model()
    if model["problem"] == "forecasting":
        return client.forecast(**model["example"])
    return client.predict([model["example"]] * 2)


def test_predictions_come_in_order_with_their_details(client):
    first, again = predict(client), predict(client)
    assert all(isinstance(prediction, Prediction) for prediction in first)
    assert len({prediction.id for prediction in first + again}) == 2 * len(first) > 2
    assert [(p.value, p.details) for p in first] == [(p.value, p.details) for p in again]
    assert all(prediction.details for prediction in first)
    assert not any(prediction.warnings for prediction in first)


def test_feedback_is_given_back(client):
    model = client.model()
    actual = model["classes"][0] if model["classes"] else 42.0
    client.feedback(predict(client)[0].id, actual)
    with pytest.raises(ServiceError, match="no prediction with the id"):
        client.feedback("0" * 32, actual)


def test_mistakes_say_what_is_wrong(client, service, forecasts):
    with pytest.raises(ServiceError) as raised:
        client.forecast(0) if forecasts else client.predict([{"nobody": 1}])
    assert raised.value.status == 422
    assert {"row", "field", "reason"} == raised.value.detail[0].keys()
    assert len(raised.value.request) == 32
    with pytest.raises(ServiceError, match="A key is needed"):
        Client(service.address).model()
    with pytest.raises(ServiceError, match="does not answer"):
        Client("http://127.0.0.1:9", tries=1).model()
    with pytest.raises(ValueError, match="not an address"):
        Client("127.0.0.1:8000")


@contextmanager
def something_else(status, headers, body):
    """Run a server that is not the service; yield its address, and what it was sent."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            received.append(dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


def test_key_does_not_follow_a_redirect():
    with something_else(200, {}, b"{}") as (elsewhere, received):
        with (
            something_else(302, {"Location": elsewhere}, b"") as (address, _),
            pytest.raises(ServiceError) as raised,
        ):
            Client(address, KEY).model()
        assert raised.value.status == 302
        assert not received


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [({}, b"<html>", 200), ({"Content-Length": "100"}, b"{", 0)],
)
def test_response_that_is_not_the_services_is_an_error_of_its_own(headers, body, status):
    with something_else(200, headers, body) as (address, _), pytest.raises(ServiceError) as raised:
        Client(address, tries=1).model()
    assert raised.value.status == status


def test_client_is_what_the_openapi_document_describes(client, service, forecasts):
    headers = {"Authorization": f"Bearer {KEY}"}
    document = service.client.get("/openapi.json", headers=headers).json()
    described = {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }
    assert {("post", "/predict"), ("post", "/feedback"), ("get", "/model")} <= described
    schemas = document["components"]["schemas"]
    prediction = schemas["Prediction"]["properties"]
    known = {field.name for field in fields(Prediction)} - {"details", "value"}
    assert prediction.keys() == known | {"prediction", "explanation"}
    if forecasts:
        assert schemas["Rows"]["properties"].keys() == signature(client.forecast).parameters.keys()
    else:
        assert schemas["Rows"]["required"] == ["rows"]
    assert set(schemas["Feedback"]["required"]) == {"id", "actual"}
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path in ("/predict", "/feedback"):
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "401", "413", "422", "500", "503"} <= responses.keys()
