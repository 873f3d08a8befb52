"""Scoring files part by part: the same predictions, whatever happens on the way."""

import contextlib
import csv
import errno
import json
import sqlite3
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlsteps.collection import formats
from mlsteps.collection.file import open_parts
from mlsteps.collection.stream import Source
from mlsteps.deployment import prediction_log
from mlsteps.deployment import score as scoring
from mlsteps.deployment.prediction_log import open_log, read_predictions
from mlsteps.deployment.service import PredictionService
from mlsteps.errors import UserError
from mlsteps.modeling import store
from project import edit, part, run_in, shadowed, true_labels
from pyarrow import parquet

PART = 500


@pytest.fixture
def data(own, rows, tmp_path):
    """A file of some thousand rows."""
    repeated = pd.concat([rows] * (6 * PART // len(rows) + 1), ignore_index=True)
    repeated.to_parquet(tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(formats, "ROWS", PART)


def rows_of(file):
    """Return the rows as the file has them, without a guess at types."""
    if file.suffix == ".parquet":
        return parquet.read_table(file).to_pylist()
    lines = file.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines)) if file.suffix == ".csv" else list(map(json.loads, lines))


def logged(project, **options):
    with open_log(project) as log:
        return read_predictions(log, **options)


def logged_ids(project):
    return list(logged(project).metadata.index)


def beside(target):
    """Return what there is of a file beside it."""
    return [file.name for file in target.parent.iterdir() if target.stem in file.name]


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_parts_give_what_the_whole_gives(own, data, tmp_path, monkeypatch, suffix):
    own = edit(own, serving={"log_files": False})
    in_parts, whole = tmp_path / f"parts{suffix}", tmp_path / f"whole{suffix}"
    assert run_in(own.root, "predict", data, in_parts).exit_code == 0
    monkeypatch.setattr(formats, "ROWS", 10**6)
    assert run_in(own.root, "predict", data, whole).exit_code == 0
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet}.get(
        suffix, lambda file: pd.read_json(file, lines=True)
    )
    pd.testing.assert_frame_equal(read(in_parts), read(whole))
    if suffix == ".parquet":
        kept = read(in_parts).iloc[:, : pd.read_parquet(data).shape[1]]
        pd.testing.assert_frame_equal(kept, pd.read_parquet(data))
    assert beside(in_parts) == [in_parts.name]


def test_csv_for_a_spreadsheet_has_no_formulas_and_keeps_its_numbers(own, rows, tmp_path):
    texts = ["=HYPERLINK(A1)", "@SUM(1)", "-2+cmd|' /C calc'!A0", "-3.5", "+49 30 1234", "a=b"]
    rows.head(len(texts)).assign(**{"note": texts, "=1+1": 1}).to_csv(
        tmp_path / "in.csv", index=False
    )
    for escapes, marked in ((False, 0), (True, 3)):
        edit(own, serving={"escape_formulas": escapes})
        done = run_in(own.root, "predict", tmp_path / "in.csv", tmp_path / "out.csv")
        assert done.exit_code == 0, done.output
        scored = pd.read_csv(tmp_path / "out.csv", dtype="str")
        assert scored["note"].tolist() == [f"'{t}" for t in texts[:marked]] + texts[marked:]
        assert ("'=1+1" if escapes else "=1+1") in scored


def test_a_prediction_that_the_encoding_lacks_is_not_written_otherwise(tmp_path):
    made = iter([pa.table({"prediction": ["☃"]})])
    like = Source("in.csv", encoding="Windows-1252", delimiter=";")
    with pytest.raises(UserError, match=r'in\.csv is written in Windows-1252, which lacks "☃"'):
        scoring.WRITERS[".csv"](made, tmp_path / "out.csv", like)


def test_only_the_dialect_of_a_csv_file_is_written_as_well(tmp_path):
    for delimiter, text in (("", "p\n0.5\n"), (",", 'p\n"0,5"\n'), (";", "p\n0,5\n")):
        like = Source("in", decimal=",", delimiter=delimiter)
        scoring.WRITERS[".csv"](iter([pa.table({"p": [0.5]})]), tmp_path / "out.csv", like)
        assert (tmp_path / "out.csv").read_text(encoding="utf-8") == text


def test_a_run_that_is_killed_once_it_is_logged_is_not_logged_twice(
    own, data, tmp_path, monkeypatch
):
    own, out = edit(own, serving={"log_files": True}), tmp_path / "out.csv"
    with monkeypatch.context() as patch:
        patch.setattr(scoring.Path, "replace", interrupted)
        assert run_in(own.root, "predict", data, out).exit_code == 130
    assert not out.exists()
    before = logged_ids(own)
    done = run_in(own.root, "predict", data, out)
    assert done.exit_code == 0, done.output
    assert logged_ids(own) == before
    assert sorted(before) == sorted(pd.read_csv(out)["prediction_id"])


def test_the_same_command_given_again_logs_nothing_again(own, data, tmp_path):
    own, out = edit(own, serving={"log_files": True}), tmp_path / "out.csv"
    outputs = [run_in(own.root, "predict", data, out).output for _ in range(2)]
    assert "the prediction log had these rows already" not in outputs[0]
    assert "the prediction log had these rows already" in outputs[1]
    assert sorted(logged_ids(own)) == sorted(pd.read_csv(out)["prediction_id"])


def test_another_file_has_other_predictions(own, data, tmp_path):
    own, out = edit(own, serving={"log_files": True}), tmp_path / "out.csv"
    assert run_in(own.root, "predict", data, out).exit_code == 0
    before = logged_ids(own)
    pd.read_parquet(data).iloc[::-1].to_parquet(data)
    assert "had these rows already" not in run_in(own.root, "predict", data, out).output
    assert len(logged_ids(own)) == 2 * len(before)


def test_a_busy_log_leaves_no_file_and_the_next_try_makes_it(own, data, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_log, "BUSY_SECONDS", 0.1)
    own = edit(own, serving={"log_files": True, "log": "sqlite:///busy.db"})
    out = tmp_path / "out.csv"
    assert logged_ids(own) == []
    with contextlib.closing(sqlite3.connect(own.root / "busy.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        failed = run_in(own.root, "predict", data, out)
    assert failed.exit_code == 2
    assert "database is locked" in failed.output
    assert beside(out) == []
    assert run_in(own.root, "predict", data, out).exit_code == 0
    assert sorted(logged_ids(own)) == sorted(pd.read_csv(out)["prediction_id"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_an_end_while_the_file_is_written_leaves_what_was_there(
    own, data, tmp_path, monkeypatch, suffix
):
    own, out = edit(own, serving={"log_files": True}), tmp_path / f"out{suffix}"
    out.write_text("before", encoding="utf-8")
    write = scoring.WRITERS[suffix]

    def killed(tables, target, like):
        write(iter([next(tables)]), target, like)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(scoring.WRITERS, suffix, killed)
        assert run_in(own.root, "predict", data, out).exit_code == 130
    assert logged_ids(own) == []
    assert beside(out) == [out.name]
    assert out.read_text(encoding="utf-8") == "before"
    assert run_in(own.root, "predict", data, out).exit_code == 0
    assert len(rows_of(out)) == len(pd.read_parquet(data))


def test_a_full_disk_is_said_of_the_file(own, data, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "Error writing bytes")

    monkeypatch.setitem(scoring.WRITERS, ".csv", full)
    out = tmp_path / "out.csv"
    failed = run_in(own.root, "predict", data, out)
    assert failed.exit_code == 2
    assert f"{out} cannot be written: No space left on device; make room" in failed.output


def test_a_wrong_value_is_named_by_its_row_in_the_file(own, data, tmp_path):
    own, frame = edit(own, serving={"log_files": True}), pd.read_parquet(data)
    numbers = frame.select_dtypes("number").columns.drop(
        own.definition.problem.target, errors="ignore"
    )
    name = numbers[0]
    frame[name] = frame[name].astype(object).map(str, na_action="ignore")
    frame.loc[2 * PART + 6, name] = "many"
    frame.to_parquet(data)
    failed = run_in(own.root, "predict", data, tmp_path / "out.csv")
    assert failed.exit_code == 2
    assert f"\"{name}\" has 'many' in row {2 * PART + 7:,}" in failed.output
    assert beside(tmp_path / "out.csv") == []
    assert logged_ids(own) == []


def test_dates_of_files_and_requests_are_read_as_those_of_training(own, rows, tmp_path):
    seen = pd.date_range("2023-10-24 23:17", periods=len(rows), freq="5h")
    asked = rows.assign(seen=seen.strftime("%m/%d/%Y %I:%M %p"))
    asked.to_csv(own.root / "rows.csv", index=False)
    edit(own, models={"candidates": ["logistic"]})
    assert run_in(own.root, "run").exit_code == 0
    asked.head(3).to_csv(tmp_path / "in.csv", index=False)
    assert run_in(own.root, "predict", tmp_path / "in.csv", tmp_path / "out.csv").exit_code == 0
    expected = pd.read_csv(tmp_path / "out.csv")["prediction"].tolist()
    load_model = part("classification", "modeling.predictor").load_model
    with PredictionService(own, load_model) as service:
        for written in (asked, asked.assign(seen=seen.strftime("%Y-%m-%dT%H:%M:%S+01:00"))):
            body = '{"rows": ' + written.head(3).to_json(orient="records") + "}"
            response = service.predict(body.encode())
            found = json.loads(response.body)["predictions"]
            assert [line["prediction"] for line in found] == expected


def test_scored_rows_are_monitored_and_their_true_labels_come_back(own, data, tmp_path):
    """A file may be sorted by something: its rows tell no order in time."""
    own = edit(own, serving={"log_files": True})
    out, frame = tmp_path / "out.csv", pd.read_parquet(data)
    name = frame.select_dtypes("number").columns[0]
    frame.sort_values(name, ignore_index=True).to_parquet(data)
    assert run_in(own.root, "predict", data, out).exit_code == 0
    ids = pd.read_csv(out)["prediction_id"]
    actual = true_labels(own, pd.read_parquet(data))
    known = pd.DataFrame({"id": ids, "actual": actual}).sample(200, random_state=0)
    known.to_csv(tmp_path / "actual.csv", index=False)
    told = run_in(own.root, "feedback", tmp_path / "actual.csv")
    assert "200 new" in told.output
    monitored = run_in(own.root, "monitor")
    assert "no alarm" in monitored.output, monitored.output


def test_a_file_to_score_may_have_a_title_and_notes(own, data, tmp_path):
    rows = pd.read_parquet(data).head(20).to_csv(index=False, lineterminator="\n")
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(f"Export of today\n\n{rows}\nSource: us\n", encoding="utf-8")
    done = run_in(own.root, "predict", path, out)
    assert 'in.csv: left out line 1 "Export of today", line 25 "Source: us".' in done.output
    assert len(pd.read_csv(out)) == 20


def test_types_are_those_of_the_whole_file(tmp_path):
    """A part without a missing value, or without a letter, is no other column."""
    rows = 400_000
    frame = pd.DataFrame({"number": np.arange(rows), "code": np.arange(rows).astype(str)})
    frame["number"] = frame["number"].astype("Int64").where(frame.index < rows - 1)
    frame.loc[rows - 2, "code"] = "A7"
    frame.loc[0, "code"] = "007"
    frame.to_csv(tmp_path / "in.csv", index=False)
    with open_parts("in.csv", tmp_path) as found:
        read = list(found.parts)
    frames = [frame for _, frame in read]
    assert len(frames) > 1
    assert found.rows == rows
    assert {str(f["number"].dtype) for f in frames} == {"float64"}
    assert {str(f["code"].dtype) for f in frames} == {"str"}
    assert {str(given["number"].type) for given, _ in read} == {"int64"}
    assert {str(given["code"].type) for given, _ in read} == {"string"}
    codes = pd.concat(frames)["code"]
    assert codes.iloc[0] == "007"
    assert codes.iloc[-2:].tolist() == ["A7", str(rows - 1)]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize("source", ["in.csv", "in.parquet"])
def test_numbers_beside_missing_ones_are_written_as_they_were(own, data, tmp_path, source, suffix):
    """The model is given fractions, which have fifteen digits."""
    own = edit(own, data={"missing": ["-777"]})
    table = parquet.read_table(data)
    whole = [9007199254740993, None, 131, -777, *range(len(table) - 4)]
    share = [0.1 + 0.2, None, 1 / 3, -777.0, *[0.5] * (len(table) - 4)]
    table = table.append_column("its whole", pa.array(whole))
    table = table.append_column("its share", pa.array(share))
    parquet.write_table(table, data)
    if source == "in.csv":
        frame = table.to_pandas(integer_object_nulls=True)
        frame.to_csv(tmp_path / source, index=False)
    out = tmp_path / f"out{suffix}"
    done = run_in(own.root, "predict", tmp_path / source, out)
    assert done.exit_code == 0, done.output
    for name, values in {"its whole": whole, "its share": share}.items():
        kept = [*values[:3], None]
        if suffix == ".csv":
            kept = ["" if value is None else str(value) for value in kept]
        assert [row[name] for row in rows_of(out)[:4]] == kept


def test_parquet_keeps_the_types_of_parquet(own, data, tmp_path):
    table = parquet.read_table(data)
    more = len(table) - 2
    mine = {
        "its yes": pa.array([True, None] + [False] * more),
        "its cost": pa.array([Decimal("1.10"), None] + [Decimal(2)] * more),
        "its half": pa.array(np.array([0.1, np.nan] + [2] * more, "float16")),
        "its time": pa.array([timedelta(hours=30), None] + [timedelta(1)] * more),
        "its day": pa.array([date(2026, 1, 31), None] + [date(2026, 2, 1)] * more),
        "its kind": pa.array(["b", None] + ["c"] * more).dictionary_encode(),
    }
    for name, values in mine.items():
        table = table.append_column(name, values)
    parquet.write_table(table, data)
    done = run_in(own.root, "predict", data, tmp_path / "out.parquet")
    assert done.exit_code == 0, done.output
    found = parquet.read_table(tmp_path / "out.parquet")
    assert {name: found[name].type for name in mine} == {k: v.type for k, v in mine.items()}
    assert found["its half"].to_pylist()[1:3] == [None, 2]
    assert found["its cost"].to_pylist()[:3] == [Decimal("1.10"), None, Decimal(2)]
    assert found["its kind"].to_pylist()[:3] == ["b", None, "c"]


def test_a_challenger_predicts_a_scored_file_as_well_and_may_fail(own, data, tmp_path):
    challenger = shadowed(edit(own, serving={"log_files": True}))
    source, out = data, tmp_path / "out.csv"
    assert run_in(own.root, "predict", source, out).exit_code == 0
    found = logged(own, challenger=challenger)
    assert len(found) == len(pd.read_csv(out))
    assert found.shadow["prediction"].tolist() == found.predictions["prediction"].tolist()
    (own.models / challenger / store.MODEL).write_bytes(b"not a model")
    done = run_in(own.root, "predict", source, out)
    assert done.exit_code == 0, done.output
    assert "the challenger in the shadow does not answer" in done.output
