"""The log of the service: what was answered and what became of it, whatever the database does."""

import json
import re
import socket
import sqlite3
import time
from contextlib import closing
from uuid import uuid4

import pytest
from served import eventually, logged, measured, post

from {{ cookiecutter.package_name }}.deployment.prediction_log import open_log
from {{ cookiecutter.package_name }}.deployment.service import log_writer
from {{ cookiecutter.package_name }}.deployment.service.log_writer import (
    LogWriter,
)
from {{ cookiecutter.package_name }}.deployment.service.service import Service
from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.problem.project import open_project


def test_feedback_has_to_fit(client, model, question, truth):
    known = post(client, question).json()["predictions"][0]["id"]
    unknown = post(client, {"id": "0" * 32, "actual": truth}, "/feedback")
    assert unknown.status_code == 404
    wrong = post(client, {"id": known, "actual": "perhaps"}, "/feedback")
    assert wrong.status_code == 422
    expected = f"one of {', '.join(model['classes'])}" if model["classes"] else "a number"
    assert wrong.json()["detail"][0]["reason"] == f"must be {expected}, got 'perhaps'"


def test_locked_log_delays_no_answer_and_loses_nothing(service, client, question):
    own = service.project
    eventually(lambda: measured(client, "service_log_waiting_rows") == 0)
    with closing(sqlite3.connect(own.root / "predictions.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answers = [post(client, question).json() for _ in range(5)]
        ids = {one["id"] for answer in answers for one in answer["predictions"]}
        assert measured(client, "service_log_waiting_rows") == len(ids)
        other.execute("ROLLBACK")
    eventually(lambda: ids <= set(logged(own).facts.index))


def many_rows(number):
    """Return rows and answers as the service hands them to the log."""
    return [{"a": 1.5}] * number, {uuid4().hex: {"prediction": 1.0} for _ in range(number)}


def test_log_keeps_up_with_large_requests_by_letting_them_wait(own, monkeypatch):
    monkeypatch.setattr(log_writer, "MOST_BYTES", 2_000_000)
    writer = LogWriter(open_log(own))
    writer.start()
    for _ in range(40):
        writer.write("v", *many_rows(1000))
    writer.close()
    assert writer.dropped == 0
    assert len(logged(own, version="v").facts) == 40_000


def test_log_that_stays_away_drops_and_counts(own, monkeypatch):
    monkeypatch.setattr(log_writer, "MOST_BYTES", 3_000_000)
    monkeypatch.setattr(log_writer, "PATIENCE_SECONDS", 0.2)
    writer = LogWriter(open_log(own))
    writer.start()
    with closing(sqlite3.connect(own.root / "predictions.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(5):
            writer.write("v", *many_rows(1000))
        other.execute("ROLLBACK")
    writer.close()
    assert 0 < writer.dropped < 5000
    assert len(logged(own, version="v").facts) == 5000 - writer.dropped


def test_truth_that_cannot_be_kept_is_refused_and_what_is_lost_is_measured(
    own, question, truth, monkeypatch
):
    monkeypatch.setattr(log_writer, "MOST_BYTES", 1)
    monkeypatch.setattr(log_writer, "PATIENCE_SECONDS", 0.2)
    asked = json.dumps(question).encode()
    with (
        Service(own) as service,
        closing(sqlite3.connect(own.root / "predictions.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        kept, lost = (json.loads(service.predict(asked).body)["predictions"] for _ in range(2))
        told = json.dumps({"id": kept[0]["id"], "actual": truth}).encode()
        refused = service.feedback(told)
        assert refused.status == 503
        assert b"send it again later" in refused.body
        other.execute("ROLLBACK")
        measures = service.pages["/metrics"]().body.decode()
        assert f"service_log_dropped_rows_total {len(lost) + 1}.0" in measures
        eventually(lambda: service.feedback(told).status == 200)


def test_database_that_says_nothing_holds_up_neither_start_nor_feedback(own, truth, monkeypatch):
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        log = f"postgresql+psycopg://me@127.0.0.1:{silent.getsockname()[1]}/log"
        monkeypatch.setenv("PREDICTION_LOG", log)
        service, began = Service(own), time.monotonic()
        with service:
            assert time.monotonic() - began < 4
            told = json.dumps({"id": "0" * 32, "actual": truth}).encode()
            assert service.feedback(told).status == 503
            assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:secret@db/log", "holds a password"),
        ("env:LOG_OF_NOBODY", "LOG_OF_NOBODY, which .* names, is not set"),
        ("predictions.db", "is not the URL of a database"),
        ("sqlite://", "names no file"),
        ("oracle9://x/y", "SQLAlchemy lacks"),
    ],
)
def test_log_that_cannot_be_used_is_refused(own, url, message):
    text = (own.root / "project.toml").read_text(encoding="utf-8")
    text = re.sub(r'(?m)^log = ".*"', f'log = "{url}"', text)
    (own.root / "project.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as raised:
        Service(open_project(own.root))
    assert "secret" not in str(raised.value)
