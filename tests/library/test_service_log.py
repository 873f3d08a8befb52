"""The log of the service: what was predicted and what became of it, whatever the database does."""

import json
import re
import socket
import sqlite3
import time
from contextlib import closing
from uuid import uuid4

import pytest
from mlsteps import UserError
from mlsteps.deployment.prediction_log import (
    PREDICTIONS,
    log_engine,
    prediction_rows,
    write_rows,
)
from mlsteps.deployment.service import PredictionService, log_writer, metrics
from mlsteps.deployment.service.log_writer import LogWriter
from mlsteps.problem.project import open_project
from project import edit, part
from served import eventually, logged, measured, post, value_in


@pytest.fixture
def true_label(model):
    return model["classes"][0]


def prediction_service(own):
    return PredictionService(own, part("classification", "modeling.predictor").load_model)


def test_feedback_has_to_fit(client, model, example, true_label):
    known = post(client, example).json()["predictions"][0]["id"]
    unknown = post(client, {"id": "0" * 32, "actual": true_label}, "/feedback")
    assert unknown.status_code == 404
    wrong = post(client, {"id": known, "actual": "perhaps"}, "/feedback")
    assert wrong.status_code == 422
    expected = f"one of {', '.join(model['classes'])}" if model["classes"] else "a number"
    assert wrong.json()["detail"][0]["reason"] == f"must be {expected}, got 'perhaps'"


def test_locked_log_delays_no_response_and_loses_nothing(service, client, example):
    own = service.project
    eventually(lambda: measured(client, "service_log_waiting_rows") == 0)
    with closing(sqlite3.connect(own.root / "predictions.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        responses = [post(client, example).json() for _ in range(5)]
        ids = {one["id"] for response in responses for one in response["predictions"]}
        assert measured(client, "service_log_waiting_rows") == len(ids)
        other.execute("ROLLBACK")
    eventually(lambda: ids <= set(logged(own).metadata.index))


def dropped():
    """Return how many rows this process has dropped so far."""
    text = metrics.generate_latest(metrics.OWN).decode()
    return value_in(text, "service_log_dropped_rows_total")


def many_rows(number):
    """Return rows and predictions as the service hands them to the log."""
    return [{"a": 1.5}] * number, {uuid4().hex: {"prediction": 1.0} for _ in range(number)}


def test_log_keeps_up_with_large_requests_by_letting_them_wait(own, monkeypatch):
    monkeypatch.setattr(log_writer, "MOST_BYTES", 2_000_000)
    before = dropped()
    writer = LogWriter(log_engine(own))
    writer.start()
    for _ in range(40):
        writer.add(PREDICTIONS, prediction_rows("v", *many_rows(1000)))
    writer.close()
    assert dropped() == before
    assert len(logged(own, version="v")) == 40_000


def test_log_that_stays_away_drops_and_counts(own, monkeypatch):
    monkeypatch.setattr(log_writer, "MOST_BYTES", 3_000_000)
    monkeypatch.setattr(log_writer, "PATIENCE_SECONDS", 0.2)
    before = dropped()
    writer = LogWriter(log_engine(own))
    writer.start()
    with closing(sqlite3.connect(own.root / "predictions.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(5):
            writer.add(PREDICTIONS, prediction_rows("v", *many_rows(1000)))
        other.execute("ROLLBACK")
    writer.close()
    lost = dropped() - before
    assert 0 < lost < 5000
    assert len(logged(own, version="v")) == 5000 - lost


def test_feedback_that_cannot_be_kept_is_refused_and_what_is_lost_is_measured(
    own, example, true_label, monkeypatch
):
    monkeypatch.setattr(log_writer, "MOST_BYTES", 1)
    monkeypatch.setattr(log_writer, "PATIENCE_SECONDS", 1.0)
    body, before = json.dumps(example).encode(), dropped()
    assert not len(logged(own))  # which makes the tables
    with (
        prediction_service(own) as service,
        closing(sqlite3.connect(own.root / "predictions.db", isolation_level=None)) as other,
    ):
        service.predict(body)
        eventually(lambda: all_is_written(service))
        other.execute("BEGIN EXCLUSIVE")
        # One is being written, one waits, and there is no room for the third.
        kept, _, lost = (json.loads(service.predict(body).body)["predictions"] for _ in range(3))
        feedback = json.dumps({"id": kept[0]["id"], "actual": true_label}).encode()
        refused = service.feedback(feedback)
        assert refused.status == 503
        assert b"send it again later" in refused.body
        other.execute("ROLLBACK")
        assert dropped() - before == len(lost) + 1
        eventually(lambda: service.feedback(feedback).status == 200)


def test_database_that_says_nothing_holds_up_neither_start_nor_feedback(
    own, true_label, monkeypatch
):
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        log = f"postgresql+psycopg://me@127.0.0.1:{silent.getsockname()[1]}/log"
        monkeypatch.setenv("PREDICTION_LOG", log)
        service, began = PredictionService(own, None), time.monotonic()
        with service:
            assert time.monotonic() - began < 4
            feedback = json.dumps({"id": "0" * 32, "actual": true_label}).encode()
            assert service.feedback(feedback).status == 503
            assert time.monotonic() - began < 15


def test_log_that_was_away_at_the_start_gets_its_tables_with_the_first_rows(own, example, caplog):
    own = edit(own, serving={"log": "sqlite:///later/predictions.db"})
    with prediction_service(own) as service:
        service.predict(json.dumps(example).encode())
        eventually(lambda: "Rows are kept meanwhile" in caplog.text)
        (own.root / "later").mkdir()
        eventually((own.root / "later" / "predictions.db").exists)
    assert len(logged(own)) == 1
    assert "no such table" not in caplog.text


def all_is_written(service):
    """Tell whether the writer waits for rows: it has noted what the file is now."""
    return value_in(service.metrics_text().body.decode(), "service_log_waiting_rows") == 0


def delete(path):
    for file in sorted(path.parent.glob(f"{path.name}*"), reverse=True):  # the database at last
        file.unlink(missing_ok=True)


def replace(path):
    path.with_suffix(".other").touch()
    path.with_suffix(".other").rename(path)


@pytest.mark.parametrize("gone", [delete, replace])
def test_log_that_is_deleted_or_replaced_begins_anew_and_says_so(own, example, caplog, gone):
    body, path, before = json.dumps(example).encode(), own.root / "predictions.db", replaced()
    assert not len(logged(own))  # which makes the tables
    with prediction_service(own) as service:
        service.predict(body)
        eventually(lambda: all_is_written(service))
        assert len(logged(own)) == 1
        assert path.stat().st_mode & 0o777 == 0o600
        gone(path)
        later = [json.loads(service.predict(body).body)["predictions"][0] for _ in range(2)]
        eventually(lambda: "was deleted or replaced" in caplog.text)
    assert set(logged(own).metadata.index) == {one["id"] for one in later}
    assert replaced() == before + 1
    assert sum("was deleted or replaced" in line for line in caplog.messages) == 1
    assert "no such table" not in caplog.text


@pytest.mark.parametrize("gather", [0.001, 0.5])  # the first rows come after the tables, or with
@pytest.mark.parametrize("gone", [delete, replace])
def test_log_that_goes_just_as_it_was_written_is_missed_with_the_next_rows(
    own, example, caplog, monkeypatch, gone, gather
):
    body, path, true = json.dumps(example).encode(), own.root / "predictions.db", write_rows
    lost = []

    def write_and_lose(engine, rows, **options):
        done = true(engine, rows, **options)
        if rows[PREDICTIONS] and not lost:
            lost.extend(rows[PREDICTIONS])
            gone(path)
        return done

    monkeypatch.setattr(log_writer, "write_rows", write_and_lose)
    monkeypatch.setattr(log_writer, "GATHER_SECONDS", gather)
    with prediction_service(own) as service:
        service.predict(body)
        eventually(lambda: lost and all_is_written(service))
        (later,) = json.loads(service.predict(body).body)["predictions"]
        eventually(lambda: "was deleted or replaced" in caplog.text)
    assert set(logged(own).metadata.index) == {later["id"]}


def replaced():
    text = metrics.generate_latest(metrics.OWN).decode()
    return value_in(text, "service_log_replaced_total")


def test_log_that_is_overwritten_is_said_and_loses_nothing_that_comes(own, example, caplog):
    body, path = json.dumps(example).encode(), own.root / "predictions.db"
    assert not len(logged(own))  # which makes the tables
    with prediction_service(own) as service:
        service.predict(body)
        eventually(lambda: all_is_written(service))
        assert len(logged(own)) == 1
        path.write_bytes(b"overwritten " * 1000)
        (new,) = json.loads(service.predict(body).body)["predictions"]
        eventually(lambda: "not a database" in caplog.text)
        delete(path)
        eventually(lambda: "was deleted or replaced" in caplog.text)
    assert set(logged(own).metadata.index) == {new["id"]}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:secret@db/log", "holds a password"),
        ("env:LOG_OF_NOBODY", "LOG_OF_NOBODY, which .* names, is not set"),
        ("predictions.db", "is not the URL of a database"),
        ("sqlite://", "names no file"),
        ("oracle9://x/y", "SQLAlchemy cannot open"),
    ],
)
def test_log_that_cannot_be_used_is_refused(own, url, message):
    text = (own.root / "project.toml").read_text(encoding="utf-8")
    text = re.sub(r'(?m)^log = ".*"', f'log = "{url}"', text)
    (own.root / "project.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as raised:
        PredictionService(open_project(own.root), None)
    assert "secret" not in str(raised.value)
