"""What is particular to problems without a target: what is drawn, split, served and improved."""

import numpy as np
import pandas as pd
import pytest
from described import assert_as_described
from mlsteps import UserError
from mlsteps.modeling import store
from mlsteps.problem.check import check
from mlsteps.problem.project import open_project
from mlsteps.problem.suggest import suggest
from project import at, edit, load, log, project_toml, run_in, true_labels

PROBLEM_TYPES = ["clustering", "anomaly_detection"]


def test_no_target_is_needed_to_suggest_a_definition_and_it_says_why(rows, problem_type):
    found = suggest(rows, "", problem_type)
    assert found.problem["type"][0] == problem_type
    assert "there is no column to predict" in found.problem["type"][1]


def test_labels_that_do_not_come_with_the_data_may_come_later(define):
    frame = pd.DataFrame({"x": range(100), "z": [1.0, 2.0] * 50})
    notes = check(define(problem={"target": "outcome"}), frame, {}).sentences
    assert 'The data has no column "outcome", so no row has a label yet.' in notes


def test_labels_whose_name_is_misspelt_do_not_become_an_input(define):
    frame = pd.DataFrame({"x": range(100), "outcome": ["a", "b"] * 50})
    with pytest.raises(UserError, match='did you mean "outcome"'):
        check(define(problem={"target": "outcom"}), frame, {})


def test_new_rows_of_the_source_make_a_challenger_that_is_judged_on_what_neither_knows(own):
    path = own.root / "rows.csv"
    rows = pd.read_csv(path)
    number = next(c.name for c in load(own).schema.inputs if c.kind == "number")
    more = rows.assign(**{number: rows[number] * 1.0001})
    pd.concat([rows, more]).to_csv(path, index=False)
    done = run_in(own.root, "improve")
    assert done.exit_code == 0, done.output
    assert "of the challenger is" in done.output or "was trained on newer ones" in done.output
    tested = pd.read_parquet(own.prepared / "test.parquet")[" key"]
    for version in store.versions(own.models):
        assert not tested.isin(store.training_keys(own.models, version)).any()


def test_improve_says_when_nothing_is_new(own):
    done = run_in(own.root, "improve")
    assert done.exit_code == 0, done.output
    assert "nothing new to learn" in done.output


def test_the_share_of_a_prediction_that_changes_is_an_alarm(own, new_rows):
    predictions = true_labels(own, new_rows)
    rarest = predictions.value_counts().index[-1]
    same = new_rows[predictions == rarest]
    edit(own, improvement={"minimum_rows": 5})
    log(own, pd.concat([same] * (1 + 120 // len(same)), ignore_index=True))
    done = run_in(own.root, "monitor")
    assert done.exit_code == 1
    assert '"prediction" has drifted' in done.output
    assert rarest in done.output


@pytest.fixture
def dated(tmp_path, problem_type):
    """A new project that has looked at rows with a date, and what it said."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(90, 2)), columns=["heat", "flow"])
    frame.insert(0, "seen", pd.date_range("2026-01-01", periods=90).strftime("%Y-%m-%d"))
    frame.to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "project.toml").write_text(project_toml(problem_type), encoding="utf-8")
    done = run_in(tmp_path, "define", "--data", "mine.csv")
    assert done.exit_code == 0, done.output
    return at(tmp_path), done.output


def test_a_date_is_no_feature_and_splits_nothing_and_it_is_said(dated):
    project, said = dated
    definition = open_project(project.root).definition
    assert definition.columns.date == ""
    assert definition.columns.drop == ["seen"]
    assert '"seen" is a date, left out' in said
    assert "All rows are for training, and all are scored." in said


def test_a_date_that_splits_is_still_no_feature(dated):
    project, _ = dated
    edit(project, columns={"date": "seen", "drop": []})
    done = run_in(project.root, "define")
    assert "2 columns" in done.output
    assert 'Test on the newest 20% of the rows by "seen"' in done.output


def test_a_date_that_is_left_among_the_inputs_is_named(dated):
    project, _ = dated
    edit(project, columns={"drop": []})
    assert 'When a row was counts: "seen"' in run_in(project.root, "define").output


def test_responses_are_what_the_openapi_document_says(client):
    for path in ("/model", "/health/ready"):
        assert_as_described(client, path)
