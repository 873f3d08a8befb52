"""The service, asked over HTTP."""

import json

import pytest


@pytest.fixture
def question(model):
    """What the service can be asked, with the example of the model."""
    return model.example_request()


def test_it_is_ready_with_the_champion(service, results):
    status, body = service("/health/ready")
    assert status == 200
    assert json.loads(body)["model"] == results["version"]


def test_each_prediction_has_an_id(service, question, results):
    status, body = service("/predict", question)
    assert status == 200, body
    found = json.loads(body)
    assert found["model"] == results["version"]
    ids = {prediction["id"] for prediction in found["predictions"]}
    assert len(ids) == len(found["predictions"]) > 0


def test_a_wrong_request_gets_the_reason(service):
    status, body = service("/predict", {"rows": [{"no such column": 1}]})
    assert status == 422
    assert json.loads(body)["detail"]


def test_what_a_prediction_turned_out_to_be_comes_back(service, question):
    _, body = service("/predict", question)
    prediction = json.loads(body)["predictions"][0]
    status, _ = service("/feedback", {"id": prediction["id"], "actual": prediction["prediction"]})
    assert status == 200
    assert service("/feedback", {"id": "unknown", "actual": prediction["prediction"]})[0] == 404


def test_programs_and_people_find_their_way(service):
    described = json.loads(service("/openapi.json")[1])
    assert {"/predict", "/feedback", "/model"} <= set(described["paths"])
    assert b"<form" in service("/")[1]
    assert b"# HELP" in service("/metrics")[1]
