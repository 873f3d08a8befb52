"""What is particular to problems without a target: what is drawn, split, served and improved."""

import pandas as pd
import pytest
from mlsteps import UserError
from mlsteps.modeling import store
from mlsteps.problem.check import check
from mlsteps.problem.suggest import suggest
from project import edit, load, log, run_in, true_labels

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
