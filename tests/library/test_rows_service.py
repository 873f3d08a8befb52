"""A service of rows: a prediction for each, with what is wrong or new about it."""

import json
import re
import time

import pandas as pd
import pytest
from described import assert_as_described
from mlsteps.deployment.service import PredictionService
from mlsteps.modeling import store
from project import edit, load, log, part, run_in, true_labels
from served import (
    Client,
    eventually,
    logged,
    measured,
    post,
    printed,
    value_in,
)

PROBLEM_TYPES = ["classification", "regression"]


@pytest.fixture
def row(model):
    return dict(model["example"])


def column(model, kind, **like):
    """Return the name of the first input of a kind."""
    for one in model["inputs"]:
        if one["kind"] == kind and all(one[key] == value for key, value in like.items()):
            return one["name"]
    return pytest.skip(f"no {kind} among the inputs")


def test_predictions_are_those_of_the_predictor_in_order(project, client):
    rows = pd.read_parquet(project.prepared / "test.parquet")
    predictor = load(project)
    names = [one.name for one in predictor.schema.inputs]
    sent = json.loads(rows[names].head(50).to_json(orient="records", date_format="iso"))

    response = post(client, {"rows": sent}).json()

    expected = predictor.predict(pd.DataFrame(sent))
    given = pd.DataFrame(response["predictions"])
    assert response["model"] == predictor.version
    assert given["id"].nunique() == len(sent)
    for name in expected:
        assert given[name].tolist() == expected[name].tolist()


def test_numbers_may_be_written_as_text(client, model, row):
    name = column(model, "number")
    plain, text = post(client, {"rows": [row, row | {name: str(row[name])}]}).json()["predictions"]
    assert plain | {"id": ""} == text | {"id": ""}


def test_what_training_never_saw_gets_a_warning(client, model, row):
    label, number = column(model, "category"), column(model, "number", required=True)
    rows = [row | {label: "from the moon", number: None}, row]
    odd, usual = post(client, {"rows": rows}).json()["predictions"]
    assert odd["warnings"] == [
        f"{name} is {what}"
        for name, what in sorted(
            {
                label: "'from the moon', which training never saw",
                number: "missing, but training always had it",
            }.items(),
            key=lambda pair: list(row).index(pair[0]),
        )
    ]
    assert "warnings" not in usual


def test_marks_for_missing_values_mean_missing(service, client, model, row):
    label, number = column(model, "category"), column(model, "number")
    plain, marked = post(
        client,
        {"rows": [row | {label: None, number: None}, row | {label: " unheard of ", number: -777}]},
    ).json()["predictions"]
    assert plain | {"id": ""} == marked | {"id": ""}
    eventually(lambda: marked["id"] in logged(service.project).metadata.index)
    assert pd.isna(logged(service.project).inputs.loc[marked["id"], label])


def test_columns_that_the_model_ignores_may_be_given(project, client, row):
    schema = load(project).schema
    if not schema.ignored:
        pytest.skip("the project ignores no column")
    assert post(client, {"rows": [row | dict.fromkeys(schema.ignored, "?")]}).status_code == 200


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("old", "must be a number, got 'old'"),
        ("", "must be a number, got ''"),
        (True, "must be a number, got true"),
        ([1], "must be a number, got [1]"),
        ("inf", "must be a number from -1e+30 to 1e+30, got 'inf'"),
        (-1e300, "must be a number from -1e+30 to 1e+30, got -1e+300"),
    ],
)
def test_wrong_number_is_refused(client, model, row, value, reason):
    name = column(model, "number")
    response = post(client, {"rows": [row, row | {name: value}]})
    assert response.status_code == 422
    assert response.json() == {"detail": [{"row": 1, "field": name, "reason": reason}]}


def test_wrong_date_is_refused(client, model, row):
    name = column(model, "date")
    response = post(client, {"rows": [row, row, row | {name: "soon"}]})
    assert response.status_code == 422
    (mistake,) = response.json()["detail"]
    assert (mistake["row"], mistake["field"]) == (2, name)
    assert re.fullmatch(r"must be a date \(.*\), got 'soon'", mistake["reason"])


def test_unknown_and_missing_columns_are_refused(client, model, row):
    name = column(model, "number", required=True)
    renamed = {key + "x" * (key == name): value for key, value in row.items()}
    response = post(client, {"rows": [renamed]})
    assert response.status_code == 422
    reasons = {mistake["field"]: mistake["reason"] for mistake in response.json()["detail"]}
    assert reasons == {
        name: "is missing; give a value, or null where it is not known",
        name + "x": f'is not a column of the model; did you mean "{name}"?',
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"rows": [', "the body is not JSON: EOF while parsing a list at line 1 column 10"),
        (b'{"rows": [{"a": NaN}]}', "the body is not JSON: expected value at line 1 column 17"),
        (b"\xff", "the body is not JSON: expected value at line 1 column 1"),
        ([], 'the body must be {"rows": [...]}, got []'),
        ({}, 'is missing; the body must be {"rows": [...]}'),
        ({"rows": []}, "must be a list of 1 to 1,000 rows, got 0 rows"),
        ({"rows": [{}] * 1001}, "must be a list of 1 to 1,000 rows, got 1,001 rows"),
        ({"rows": [3]}, "must be an object with a field for each column, got 3"),
    ],
)
def test_wrong_body_is_refused(client, body, reason):
    response = post(client, body)
    assert response.status_code == 422
    assert [mistake["reason"] for mistake in response.json()["detail"]] == [reason]


def test_predictions_are_logged_with_their_newest_feedback(service, client, model, row):
    own = service.project
    response = post(client, {"rows": [row, row]}).json()
    first, second = response["predictions"]
    for actual in (model["classes"] or [1.0, 42.0])[::-1]:
        assert post(client, {"id": first["id"], "actual": actual}, "/feedback").status_code == 200
    newest = (model["classes"] or [1.0])[0]
    eventually(lambda: logged(own).metadata["actual"].get(first["id"]) == newest)

    found = logged(own, version=response["model"])

    assert {first["id"], second["id"]} <= set(found.metadata.index)
    assert found.metadata["actual"][second["id"]] is None
    assert found.inputs.loc[first["id"]].to_dict() == row
    assert found.predictions["prediction"][first["id"]] == first["prediction"]
    assert len(logged(own, last=1)) == 1
    assert not len(logged(own, version="another"))


def test_openapi_shows_the_row_of_the_model(client, model):
    document = client.get("/openapi.json").json()
    row = document["components"]["schemas"]["Row"]
    assert list(row["properties"]) == [one["name"] for one in model["inputs"]]
    assert row["required"] == [one["name"] for one in model["inputs"] if one["required"]]
    assert document["components"]["schemas"]["Rows"]["examples"] == [{"rows": [model["example"]]}]


def test_responses_are_what_the_openapi_document_says(client):
    for path in ("/model", "/health/ready"):
        assert_as_described(client, path)


def test_metrics_count_the_rows_of_a_call_of_the_model(client, row):
    before = measured(client, "service_model_call_rows_sum")
    post(client, {"rows": [row] * 7})
    assert measured(client, "service_model_call_rows_sum") == before + 7


def test_metrics_show_what_monitor_found(service, client, row):
    minimum = service.project.definition.improvement.minimum_rows
    predictions = post(client, {"rows": [row] * minimum}).json()["predictions"]
    eventually(lambda: predictions[-1]["id"] in logged(service.project).metadata.index)
    assert run_in(service.project.root, "monitor").exit_code == 1  # one row, over and over
    version = client.get("/model").json()["version"]
    assert measured(client, "model_alarms", version=version, kind="drift") > 0
    assert measured(client, "model_monitored_rows", version=version) >= minimum
    monitored = measured(client, "model_monitored_timestamp_seconds", version=version)
    assert time.time() - monitored < 60
    number = next(name for name, value in row.items() if isinstance(value, float))
    assert measured(client, "model_drift_p_value", version=version, column=number) < 0.01


def test_metrics_compare_champion_and_challenger_on_the_same_rows(own, new_rows, problem_type):
    edit(own, models={"candidates": own.definition.models.candidates[1:]})
    assert run_in(own.root, "train").exit_code == 0
    versions = {
        "champion": store.champion(own.models),
        "challenger": store.newest_version(own.models),
    }
    store.set_challenger(own.models, versions["challenger"])
    log(own, new_rows, true_labels(own, new_rows), versions["challenger"])
    run_in(own.root, "monitor")
    service = PredictionService(own, part(problem_type, "modeling.predictor").load_model)
    text = service.metrics_text().body.decode()
    found = json.loads((own.reports / "monitor.json").read_text(encoding="utf-8"))["shadow"]
    rows = value_in(text, "model_shadow_labelled_rows", version=versions["challenger"])
    assert rows == len(new_rows)
    for role, version in versions.items():
        for bound, value in found["quality"][role].items():
            labels = {"role": role, "version": version, "bound": bound}
            assert value_in(text, "model_shadow_quality", **labels) == pytest.approx(value)


def test_many_rows_are_sent_in_parts(service, row):
    found = list(Client(service.address).predict_many([row] * 25, at_once=10))
    assert len({prediction.id for prediction in found}) == 25


def test_application_prints_a_line_for_each_row(service, rows, tmp_path):
    schema = json.loads((service.project.prepared / "schema.json").read_text(encoding="utf-8"))
    few = rows.head(12)[[column["name"] for column in schema["inputs"]]]
    pd.DataFrame(few).to_csv(tmp_path / "new.csv", index=False)
    assert len(printed(service, "score_rows.py", tmp_path / "new.csv")) == 12
