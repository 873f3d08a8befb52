"""Why a prediction is what it is: effects that add up to it."""

import json

import numpy as np
import pandas as pd
import pytest
from mlsteps.modeling.explanation import explain, in_words
from mlsteps.preparation import Column
from mlsteps.preparation.schema import Schema
from project import load, run_in
from served import post

PROBLEM_TYPES = ["classification", "regression", "clustering", "anomaly_detection"]


def schema_of(*names, problem="regression"):
    columns = [Column(name=name, kind="number", required=True, example=1.0) for name in names]
    return Schema(problem=problem, target="y", inputs=columns, features=columns, ignored=[])


def predict(numbers):
    return pd.DataFrame({"prediction": numbers})


def test_an_interaction_is_shared_and_a_sum_is_not():
    rows = pd.DataFrame({"a": [3.0], "b": [4.0], "c": [6.0]})
    (found,) = explain(rows, schema_of("a", "b", "c"), lambda x: predict(x["a"] * x["b"] + x["c"]))
    # From 1 * 1 + 1: "a" adds 2 before "b" and 8 after it, and "b" 3 and 9.
    assert found == {
        "explained": "prediction",
        "typical": 2.0,
        "effects": {"b": 6.0, "a": 5.0, "c": 5.0},
    }


def test_many_features_have_the_effects_of_a_sum_exactly():
    names = [f"x{k}" for k in range(30)]
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(7, 30)), columns=names)
    weights = np.arange(30)
    found = explain(rows, schema_of(*names), lambda x: predict(x[names] @ weights))
    for row, why in zip(rows.to_numpy(), found, strict=True):
        effects = [why["effects"][name] for name in names]
        assert effects == pytest.approx(weights * (row - 1))


def test_words_name_the_strongest_and_sum_the_others():
    rows = pd.DataFrame([range(2, 9)], columns=list("abcdefg"))
    (found,) = explain(rows, schema_of(*"abcdefg"), lambda x: predict(x.sum(axis=1)))
    assert in_words(found) == (
        "prediction of a typical row 7; g +7; f +6; e +5; d +4; c +3; 2 others +3"
    )


def test_effects_add_up_to_the_prediction_of_every_row(project, rows):
    predictor, some = load(project), rows.head(20)
    predictions = predictor.predict(some)
    found = predictor.explain(some)
    for row, why in zip(predictions.to_dict("records"), found, strict=True):
        assert why["typical"] + sum(why["effects"].values()) == pytest.approx(row[why["explained"]])
        assert list(why["effects"]) == sorted(why["effects"], key=lambda k: -abs(why["effects"][k]))
        if project.definition.problem.type == "classification":
            assert why["explained"] == "probability_bad"  # the positive class


def test_features_of_ones_own_are_explained_as_well(own, rows, add_features):
    number = next(c.name for c in load(own).schema.inputs if c.kind == "number")

    def add(given):
        return given.assign(high=given[number] > 1, whole=given[number].fillna(0).astype(int))

    add_features(add)
    done = run_in(own.root, "run", "--force")
    assert done.exit_code == 0, done.output
    some = rows.head(5)
    predictions = load(own).predict(some).to_dict("records")
    for row, why in zip(predictions, load(own).explain(some), strict=True):
        assert {"high", "whole"} <= why["effects"].keys()
        assert why["typical"] + sum(why["effects"].values()) == pytest.approx(row[why["explained"]])


def test_predict_adds_a_column_that_says_why(own, rows, tmp_path):
    rows.head(30).to_csv(tmp_path / "in.csv", index=False)
    done = run_in(own.root, "predict", "--explain", tmp_path / "in.csv", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output
    scored = pd.read_csv(tmp_path / "out.csv")
    expected = [in_words(why) for why in load(own).explain(rows.head(30))]
    assert scored["explanation"].tolist() == expected


def test_a_request_that_asks_gets_effects_in_numbers(project, client, example):
    plain = post(client, example).json()["predictions"][0]
    response = client.post("/predict", params={"explain": "true"}, json=example)
    (asked,) = response.json()["predictions"]
    (expected,) = load(project).explain(pd.DataFrame(example["rows"]))
    assert asked["explanation"] == json.loads(json.dumps(expected))
    assert "explanation" not in plain
    assert asked | {"id": "", "explanation": ""} == plain | {"id": "", "explanation": ""}


def test_a_request_may_ask_for_the_reasons_of_few_rows(client, example):
    many = {"rows": example["rows"] * 11}
    refused = client.post("/predict", params={"explain": "true"}, json=many)
    assert refused.status_code == 422
    (mistake,) = refused.json()["detail"]
    assert mistake["field"] == "explain"
    assert mistake["reason"] == (
        "is for at most 10 rows ([serving] max_explained_rows), got 11; "
        "send fewer, or use `predict --explain`"
    )
    odd = client.post("/predict", params={"explain": "perhaps"}, json=example)
    assert odd.json()["detail"][0]["reason"] == "must be true or false, got 'perhaps'"


def test_the_report_says_why_of_typical_rows_and_of_the_most_wrong(project):
    page = (project.reports / "index.html").read_text(encoding="utf-8")
    assert "Why: rows that are typical" in page
    assert "of a typical row" in page
