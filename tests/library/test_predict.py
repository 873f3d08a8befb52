"""A file in, a file out: the rows, in their order, with the champion's predictions beside them."""

import json

import numpy as np
import pandas as pd
import pytest
from mlsteps.modeling import store
from project import edit, load, part, run_in

PROBLEM_TYPES = ["classification", "regression", "clustering", "anomaly_detection"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_predict_keeps_rows_and_order_and_adds_the_predictions(own, rows, tmp_path, suffix):
    rows.to_parquet(tmp_path / "in.parquet")
    out = tmp_path / f"out.{suffix}"
    done = run_in(own.root, "predict", tmp_path / "in.parquet", out)
    assert done.exit_code == 0, done.output
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet}
    readers["jsonl"] = lambda path: pd.read_json(path, lines=True)
    scored = readers[suffix](out)
    assert list(scored.columns[: rows.shape[1]]) == list(rows.columns)
    predictions = load(own).predict(rows)
    assert len(scored) == len(rows)
    for name in predictions.select_dtypes("number"):
        assert scored[name].to_numpy() == pytest.approx(predictions[name].to_numpy())


def test_predict_names_a_column_that_is_missing_and_writes_nothing(own, rows, tmp_path):
    schema = load(own).schema
    needed = next(column.name for column in schema.inputs if column.required)
    rows.drop(columns=needed).to_csv(tmp_path / "in.csv", index=False)
    failed = run_in(own.root, "predict", tmp_path / "in.csv", tmp_path / "out.csv")
    assert failed.exit_code == 2
    assert f'"{needed}" is missing' in failed.output
    assert not (tmp_path / "out.csv").exists()


def test_predict_says_which_columns_are_not_there_and_which_labels_are_new(own, rows, tmp_path):
    path = store.champion_folder(own.models) / store.SCHEMA
    schema = json.loads(path.read_text(encoding="utf-8"))
    absent = next(column for column in schema["inputs"] if column["kind"] == "number")
    absent["required"] = False
    path.write_text(json.dumps(schema), encoding="utf-8")
    names = [column["name"] for column in schema["inputs"] if column["kind"] == "category"]
    changed = rows.drop(columns=absent["name"]).reset_index(drop=True)
    for name in names:
        changed[name] = changed[name].astype(object)
        changed.loc[:2, name] = "never heard of"
        changed.loc[3, name] = None
    changed.to_csv(tmp_path / "in.csv", index=False)
    done = run_in(own.root, "predict", tmp_path / "in.csv", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output
    assert f'; taken as missing in every row: "{absent["name"]}"' in done.output
    counts = ", ".join(f'"{name}" in 3 rows' for name in names)
    assert ("; labels that training never saw: " in done.output) == bool(names)
    assert counts in done.output


def test_predict_names_the_value_that_is_no_number(own, rows, tmp_path):
    schema = load(own).schema
    number = next(column.name for column in schema.inputs if column.kind == "number")
    rows[number] = rows[number].astype(object)
    rows.loc[rows.index[1], number] = "many"
    rows.to_csv(tmp_path / "in.csv", index=False)
    failed = run_in(own.root, "predict", tmp_path / "in.csv", tmp_path / "out.csv")
    assert failed.exit_code == 2
    assert f"\"{number}\" has 'many' in row 2, but must be a number" in failed.output


def test_what_the_system_refuses_is_one_sentence(own, rows, tmp_path):
    rows.to_csv(tmp_path / "in.csv", index=False)
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    failed = run_in(own.root, "predict", tmp_path / "in.csv", tmp_path / "file" / "out.csv")
    assert failed.exit_code == 2
    out = tmp_path / "file" / "out.csv"
    assert failed.output.startswith(f"Error: {out} cannot be written: ")


def test_a_number_too_large_to_compute_with_is_refused(own, rows, tmp_path):
    schema = load(own).schema
    number = next(column.name for column in schema.inputs if column.kind == "number")
    rows.assign(**{number: 1e300}).to_csv(tmp_path / "in.csv", index=False)
    failed = run_in(own.root, "predict", tmp_path / "in.csv", tmp_path / "out.csv")
    assert failed.exit_code == 2
    assert "must be a finite number, 1e+30 at most" in failed.output


def test_every_candidate_is_scored_stored_and_read_again(own):
    candidates = part(own.definition.problem.type, "modeling.candidates").CANDIDATES
    test = pd.read_parquet(own.prepared / "test.parquet")
    for name in candidates:
        edit(own, models={"candidates": [name]})
        done = run_in(own.root, "train")
        assert done.exit_code == 0, done.output
        predictions = load(own, store.newest_version(own.models)).predict_features(test)
        assert len(predictions) == len(test)
        assert np.isfinite(predictions.select_dtypes("number")).all(axis=None)
