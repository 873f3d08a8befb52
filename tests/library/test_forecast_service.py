"""The service of forecasts: a horizon in, a prediction for each series and date out."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from described import assert_as_described
from mlsteps.deployment.service import PredictionService
from mlsteps.modeling import store
from project import edit, load, part, run_in
from served import Client, eventually, logged, printed

PROBLEM_TYPES = ["forecasting"]


@pytest.fixture
def send(own):
    """Send requests to the service of a project; return the status and the content."""
    with prediction_service(own) as service:

        def send(path, body=None):
            if body is None:
                response = service.pages[path]()
            else:
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
                response = {"/predict": service.predict, "/feedback": service.feedback}[path](sent)
            return response.status, json.loads(response.body)

        yield send


def prediction_service(project):
    return PredictionService(project, part("forecasting", "modeling.predictor").load_model)


def test_each_series_and_date_of_a_horizon_is_forecast(send, example):
    status, content = send("/predict", example)
    model = send("/model")[1]
    assert status == 200
    assert content["model"] == model["version"]
    dates = Counter(line["date"] for line in content["predictions"])
    assert len(dates) == model["horizon"]
    assert set(dates.values()) == {len(model["series"]["labels"])}
    for line in content["predictions"]:
        assert {"id", "date", "prediction", "low", "high"} <= line.keys()
        assert line["low"] <= line["high"]


def test_a_shorter_horizon_of_one_series_has_the_same_numbers(send, example):
    label = send("/model")[1]["series"]["labels"][0]
    whole = send("/predict", example)[1]["predictions"]
    part = send("/predict", example | {"horizon": 1, "series": [label]})[1]["predictions"]
    assert len(part) == 1
    assert part[0]["prediction"] == pytest.approx(whole[0]["prediction"])


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"horizon": 0}, "horizon", "must be a whole number from 1 to"),
        ({"horizon": 100_000}, "horizon", "must be a whole number from 1 to"),
        ({"horizon": "many"}, "horizon", "must be a whole number from 1 to"),
        ({"horizons": 3}, "horizons", "is not known"),
        ({"series": ["no such"]}, "series", 'the model knows no series "no such"'),
        ({"series": []}, "series", "must be a list of one or more texts"),
        ({"rows": [{}]}, None, "is missing"),
        ({"rows": 3}, "rows", "must be a list of at most"),
        ([], None, "the body must be"),
        (b"{", None, "the body is not JSON"),
    ],
)
def test_a_wrong_request_gets_422_with_the_field_and_the_reason(send, body, field, reason):
    status, content = send("/predict", body)
    assert status == 422
    first = content["detail"][0]
    assert reason in first["reason"]
    assert field is None or first["field"] == field


def test_a_date_that_is_none_is_named_with_its_row(send, own):
    columns, model = own.definition.columns, send("/model")[1]
    row = {columns.date: "soon", own.definition.problem.target: 1}
    row |= dict.fromkeys(columns.series_names(), model["series"]["labels"][0])
    status, content = send("/predict", {"rows": [row]})
    assert status == 422
    assert content["detail"][0]["field"] == columns.date
    assert content["detail"][0]["row"] == 0


@pytest.mark.parametrize(("date", "side"), [("9999-12-31", "after"), ("0001-01-01", "before")])
def test_a_date_that_is_far_from_all_known_ones_is_refused_at_once(send, own, date, side):
    columns, model = own.definition.columns, send("/model")[1]
    row = {columns.date: date, own.definition.problem.target: 1}
    row |= dict.fromkeys(columns.series_names(), model["series"]["labels"][0])
    status, content = send("/predict", {"rows": [row]})
    assert status == 422
    assert f"periods {side} what is known" in content["detail"][0]["reason"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"date": "soon"}, "must be a date"),
        ({"date": "-0001-01-01"}, "must be a date"),
        ({"date": 3}, "must be a date"),
        ({"date": "9999-12-31"}, "periods after what is known"),
        ({}, "is missing"),
        ({"date": "2010-03-01", "prise": 3}, "is not a column of the model"),
    ],
)
def test_what_is_said_of_the_future_is_checked_also_where_none_is_needed(send, own, row, reason):
    row = {own.definition.columns.date if name == "date" else name: v for name, v in row.items()}
    status, content = send("/predict", {"future": [row]})
    assert status == 422
    assert reason in content["detail"][0]["reason"]


def test_future_that_is_not_needed_changes_nothing(send, own, example):
    plain = send("/predict", example)[1]["predictions"]
    dates = [{own.definition.columns.date: line["date"]} for line in plain[:2]]
    given = send("/predict", example | {"future": dates})[1]["predictions"]
    assert [one["prediction"] for one in given] == [one["prediction"] for one in plain]


def test_marks_for_missing_values_mean_missing(service, client, model):
    columns, target = service.project.definition.columns, service.project.definition.problem.target
    row = {columns.date: "2000-01-01"}
    row |= dict.fromkeys(columns.series_names(), model["series"]["labels"][0])
    plain, text, number = (
        client.post("/predict", json={**model["example"], "rows": [row | {target: value}]}).json()
        for value in (None, " unheard of ", -777)
    )
    shown = [one["prediction"] for one in plain["predictions"]]
    assert [one["prediction"] for one in text["predictions"]] == shown
    assert [one["prediction"] for one in number["predictions"]] == shown


def test_feedback_is_joined_by_the_id_and_becomes_a_row(send, own, example):
    first = send("/predict", example)[1]["predictions"][0]
    assert send("/feedback", {"id": first["id"], "actual": 12.5}) == (
        200,
        {"id": first["id"], "actual": 12.5},
    )
    assert send("/feedback", {"id": "0" * 32, "actual": 1})[0] == 404
    eventually(lambda: len(logged(own, labelled=True)))
    found = logged(own, labelled=True)
    assert found.metadata.loc[first["id"], "actual"] == 12.5
    assert found.inputs.loc[first["id"], own.definition.columns.date] == first["date"]


def test_a_challenger_forecasts_from_where_the_champion_does(own, rows):
    """What it was trained on since is left out; it gets the rows that the caller sends as well."""
    champion, columns = store.champion(own.models), own.definition.columns
    predictor = load(own, champion)
    if predictor.known_ahead() or columns.series_names()[1:]:
        pytest.skip("new rows cannot be made up")
    horizon, names = predictor.schema.decision["horizon"], columns.series_names()
    forecast = predictor.forecast()
    target = own.definition.problem.target
    renamed = {"series": (names or ["series"])[0], "date": columns.date, "prediction": target}
    newer = forecast.rename(columns=renamed)[[columns.date, *names, target]]
    step = forecast["step"].to_numpy()
    pd.concat([rows, newer[step == 1]]).to_csv(own.root / "rows.csv", index=False)
    assert run_in(own.root, "run").exit_code == 0
    assert run_in(own.root, "rollback").exit_code == 0
    challenger = store.newest_version(own.models)
    store.set_challenger(own.models, challenger)

    series = forecast["series"].nunique()
    sent = newer[step <= 2].to_dict("records")
    with prediction_service(own) as service:
        for example in ({}, {"rows": sent}):
            assert service.predict(json.dumps(example).encode()).status == 200
        expected = series * (2 * horizon - 1)
        eventually(lambda: len(logged(own, challenger=challenger)) == expected)
    found = logged(own, challenger=challenger)
    assert set(found.metadata["version"]) == {champion}
    assert (found.shadow["step"] == found.predictions["step"]).all()
    assert (found.shadow["scale"] == found.predictions["scale"]).all()
    expected = load(own, challenger).forecast(history=pd.DataFrame(sent))
    shown = found.shadow["prediction"].tail(series * horizon)
    assert np.sort(shown) == pytest.approx(np.sort(expected["prediction"]))


@pytest.mark.parametrize(
    ("written", "newer", "expected"),
    [
        ("%YQ%q", "2020-Q1", "2020-04-01"),
        ("%Y", 2020, "2021-01-01"),
        ("%Y%m", 202001, "2020-02-01"),
    ],
)
def test_requests_write_dates_as_the_data_does(own, written, newer, expected):
    periods = pd.period_range(
        end="2019-12", periods=72, freq={"%YQ%q": "Q", "%Y": "Y", "%Y%m": "M"}[written]
    )
    y = np.arange(72) + 20 * np.sin(np.arange(72) * np.pi / 6)
    y += np.random.default_rng(0).normal(size=72)
    rows = pd.DataFrame({"when": periods.strftime(written), "y": y})
    rows.to_csv(own.root / "rows.csv", index=False)
    columns = {"date": "when", "series": "", "unknown_at_prediction": [], "drop": []}
    problem = {"target": "y", "horizon": 6, "season": 12}
    edit(own, problem=problem, columns=columns, models={"candidates": ["arima"]})
    done = run_in(own.root, "run")
    assert done.exit_code == 0, done.output
    with prediction_service(own) as service:
        response = service.predict(json.dumps({"rows": [{"when": newer, "y": 90}]}).encode())
    assert response.status == 200
    assert json.loads(response.body)["predictions"][0]["date"] == expected


def test_responses_are_what_the_openapi_document_says(client):
    for path in ("/model", "/health/ready"):
        assert_as_described(client, path)


def test_openapi_shows_the_body(client, service):
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    parts = schemas["Rows"]["properties"]
    assert set(parts) == {"horizon", "series", "rows", "future"}
    assert all(part["description"] for part in parts.values())
    (example,) = schemas["Rows"]["examples"]
    assert client.post("/predict", json=example).status_code == 200
    columns, target = service.project.definition.columns, service.project.definition.problem.target
    named = {columns.date, *columns.series_names()}
    for name, expected in (("rows", named | {target}), ("future", named)):
        schema = schemas[parts[name]["items"]["$ref"].rpartition("/")[2]]
        assert expected <= set(schema["properties"])


def test_a_forecast_may_be_of_some_series_and_begin_after_newer_values(service, model):
    client, problem = Client(service.address), service.project.definition
    columns, example, label = problem.columns, model["example"], model["series"]["labels"][0]
    first, second = client.forecast(2, [label], future=example.get("future"))
    if columns.series_names()[1:] or example.get("future"):
        pytest.skip("newer rows cannot be made up")
    newer = {columns.date: first.details["date"], problem.problem.target: first.value}
    newer |= dict.fromkeys(columns.series_names(), label)
    (moved,) = client.forecast(1, [label], rows=[newer])
    assert moved.details["date"] == second.details["date"]


def test_application_prints_a_line_for_each_series_and_date(service, model):
    labels = model["series"]["labels"][:2]
    assert len(printed(service, "forecast_series.py", "2", *labels)) == 2 * len(labels)


def test_a_forecast_is_not_explained(own, example, tmp_path):
    with prediction_service(own) as service:
        body, status, _ = service.predict(json.dumps(example).encode(), "true")
    assert status == 422
    said = "Predictions of rows are explained; a forecast follows from the history of its series."
    assert json.loads(body)["detail"][0] == {"row": None, "field": "explain", "reason": said}
    refused = run_in(own.root, "predict", "--explain", "rows.csv", tmp_path / "out.csv")
    assert refused.exit_code == 2
    assert said in refused.output
