"""The service, asked as its callers ask it."""

import http.client
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from {{ cookiecutter.package_name }}.deployment import log_writer
from {{ cookiecutter.package_name }}.deployment.fastapi_service import create_app
from {{ cookiecutter.package_name }}.deployment.prediction_log import (
    open_log,
    read_predictions,
)
from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.modeling import store
from {{ cookiecutter.package_name }}.modeling.predictor import (
    Predictor,
    load_predictor,
)
from {{ cookiecutter.package_name }}.problem.project import open_project


@pytest.fixture
def own(project, tmp_path):
    """A copy of the project, so that a test has its champion and its log for itself."""
    root = tmp_path / "own"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("predictions.db*"))
    return open_project(root)


@pytest.fixture
def client(own):
    with TestClient(create_app(own)) as client:
        yield client


@pytest.fixture
def model(client):
    return client.get("/model").json()


@pytest.fixture
def row(model):
    return model["example"]


@pytest.fixture
def truth(model):
    return model["classes"][0] if model["classes"] else 42.0


def column(model, kind, **like):
    """Return the name of the first input of a kind."""
    for one in model["inputs"]:
        if one["kind"] == kind and all(one[key] == value for key, value in like.items()):
            return one["name"]
    return pytest.skip(f"no {kind} among the inputs")


def eventually(condition, seconds=10):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def logged(project, **choice):
    engine = open_log(project)
    try:
        return read_predictions(engine, **choice)
    finally:
        engine.dispose()


def post(client, body, path="/predict"):
    return client.post(path, content=body if isinstance(body, bytes) else json.dumps(body))


# Good requests


def test_answers_are_those_of_the_predictor_in_order(own, client):
    rows = pd.read_parquet(own.prepared / "test.parquet")
    predictor = load_predictor(own.models / store.champion(own.models))
    names = [one.name for one in predictor.schema.inputs]
    sent = json.loads(rows[names].head(50).to_json(orient="records", date_format="iso"))

    answer = post(client, {"rows": sent}).json()

    expected = predictor.predict(pd.DataFrame(sent))
    given = pd.DataFrame(answer["predictions"])
    assert answer["model"] == predictor.version
    assert given["id"].nunique() == len(sent)
    for name in expected:
        assert given[name].tolist() == expected[name].tolist()


def test_numbers_may_be_written_as_text(client, model, row):
    name = column(model, "number")
    plain, text = post(client, {"rows": [row, row | {name: str(row[name])}]}).json()["predictions"]
    assert plain | {"id": ""} == text | {"id": ""}


def test_what_training_never_saw_is_answered_with_a_warning(client, model, row):
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


def test_columns_that_the_model_ignores_may_be_given(own, client, row):
    schema = load_predictor(own.models / store.champion(own.models)).schema
    if not schema.ignored:
        pytest.skip("the project ignores no column")
    assert post(client, {"rows": [row | dict.fromkeys(schema.ignored, "?")]}).status_code == 200


# Bad requests


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
    answer = post(client, {"rows": [row, row | {name: value}]})
    assert answer.status_code == 422
    assert answer.json() == {"detail": [{"row": 1, "field": name, "reason": reason}]}


def test_wrong_date_is_refused(client, model, row):
    name = column(model, "date")
    answer = post(client, {"rows": [row, row, row | {name: "soon"}]})
    assert answer.status_code == 422
    (mistake,) = answer.json()["detail"]
    assert (mistake["row"], mistake["field"]) == (2, name)
    assert re.fullmatch(r"must be a date \(.*\), got 'soon'", mistake["reason"])


def test_unknown_and_missing_columns_are_refused(client, model, row):
    name = column(model, "number", required=True)
    renamed = {key + "x" * (key == name): value for key, value in row.items()}
    answer = post(client, {"rows": [renamed]})
    assert answer.status_code == 422
    reasons = {mistake["field"]: mistake["reason"] for mistake in answer.json()["detail"]}
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
    answer = post(client, body)
    assert answer.status_code == 422
    assert [mistake["reason"] for mistake in answer.json()["detail"]] == [reason]


def test_body_that_is_too_large_is_refused(client):
    chunks = (b" " * 100_000 for _ in range(100))  # sent without a length
    for body in (b" " * 10_000_000, chunks):
        answer = client.post("/predict", content=body)
        assert answer.status_code == 413
        assert answer.json() == {"detail": "The body is larger than 5 MB; send the rows in parts."}


def test_failure_is_told_without_its_trace(client, row, caplog, monkeypatch):
    def fail(self, rows):
        raise RuntimeError("secret")

    monkeypatch.setattr(Predictor, "predict", fail)
    answer = post(client, {"rows": [row]})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "The service failed to answer; its log says why."}
    assert "RuntimeError: secret" in caplog.text


# The log


def test_predictions_are_logged_with_their_newest_feedback(own, client, model, row, truth):
    answer = post(client, {"rows": [row, row]}).json()
    first, second = answer["predictions"]
    for actual in (model["classes"] or [1.0, truth])[::-1]:
        assert post(client, {"id": first["id"], "actual": actual}, "/feedback").status_code == 200
    eventually(lambda: len(logged(own).facts) == 2 and logged(own).facts["actual"].notna().any())

    log = logged(own)

    assert set(log.facts.index) == {first["id"], second["id"]}
    assert log.facts["actual"][first["id"]] == (model["classes"] or [1.0])[0]
    assert log.facts["actual"][second["id"]] is None
    assert log.facts["version"].unique() == [answer["model"]]
    assert log.inputs.loc[first["id"]].to_dict() == row
    assert log.answers["prediction"][first["id"]] == first["prediction"]
    assert len(logged(own, last=1).facts) == 1
    assert logged(own, version="another").facts.empty


def test_feedback_has_to_fit(client, model, row, truth):
    known = post(client, {"rows": [row]}).json()["predictions"][0]["id"]
    unknown = post(client, {"id": "0" * 32, "actual": truth}, "/feedback")
    assert unknown.status_code == 404
    wrong = post(client, {"id": known, "actual": "perhaps"}, "/feedback")
    assert wrong.status_code == 422
    expected = f"one of {', '.join(model['classes'])}" if model["classes"] else "a number"
    assert wrong.json()["detail"][0]["reason"] == f"must be {expected}, got 'perhaps'"


def test_locked_log_delays_no_answer_and_loses_nothing(own, client, row):
    with closing(sqlite3.connect(own.root / "predictions.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answers = [post(client, {"rows": [row]}) for _ in range(5)]
        assert {answer.status_code for answer in answers} == {200}
        assert "service_log_waiting_rows 5.0" in client.get("/metrics").text
        other.execute("ROLLBACK")
    eventually(lambda: len(logged(own).facts) == 5)


def test_full_log_drops_and_counts(own, client, row, monkeypatch):
    monkeypatch.setattr(log_writer, "MOST_BYTES", 0)
    assert post(client, {"rows": [row] * 3}).status_code == 200
    assert "service_log_dropped_rows_total 3.0" in client.get("/metrics").text


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
        create_app(open_project(own.root))
    assert "secret" not in str(raised.value)


# The champion


def copy_version(models, version):
    """Make another version with the same model."""
    name = f"{version.partition('_')[0]}_{len(store.versions(models)) + 1}"
    shutil.copytree(models / version, models / name)
    return name


def test_new_champion_serves_without_a_restart(own, client, model, row):
    new = copy_version(own.models, model["version"])
    store.promote(own, new)
    eventually(lambda: client.get("/model").json()["version"] == new)
    assert post(client, {"rows": [row]}).json()["model"] == new
    assert 'service_model_info{version="' + new + '"} 1.0' in client.get("/metrics").text


def test_champion_that_cannot_be_loaded_leaves_the_old_one(own, client, model, row, caplog):
    broken = copy_version(own.models, model["version"])
    (own.models / broken / store.MODEL).write_bytes(b"not a model")
    store.promote(own, broken)
    eventually(lambda: "detail" in client.get("/health/ready").json())

    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["detail"] == f"The champion {broken} cannot be loaded"
    assert post(client, {"rows": [row]}).json()["model"] == model["version"]
    assert "service_champion_load_failures_total 1.0" in client.get("/metrics").text
    assert store.MODEL in caplog.text

    store.rollback(own)
    eventually(lambda: "detail" not in client.get("/health/ready").json())


def test_service_waits_for_its_first_model(own):
    champion = own.models / "champion.json"
    champion.rename(own.root / "later.json")
    with TestClient(create_app(own)) as client:
        assert client.get("/health/live").status_code == 200
        for answer in (client.get("/health/ready"), client.get("/model"), post(client, {})):
            assert answer.status_code == 503
            assert "no model" in answer.json()["detail"]
        (own.root / "later.json").rename(champion)
        eventually(lambda: client.get("/health/ready").status_code == 200)


# What surrounds it


def test_openapi_shows_the_row_of_the_model(client, model):
    document = client.get("/openapi.json").json()
    row = document["components"]["schemas"]["Row"]
    assert list(row["properties"]) == [one["name"] for one in model["inputs"]]
    assert row["required"] == [one["name"] for one in model["inputs"] if one["required"]]
    assert document["components"]["schemas"]["Rows"]["examples"] == [{"rows": [model["example"]]}]


def test_metrics_count_requests_and_rows(client, row):
    post(client, {"rows": [row] * 7})
    post(client, {})
    client.get("/nobody/asked/for/this")
    text = client.get("/metrics").text
    assert 'service_requests_total{route="/predict",status="200"} 1.0' in text
    assert 'service_requests_total{route="/predict",status="422"} 1.0' in text
    assert 'service_requests_total{route="unknown",status="404"} 1.0' in text
    assert "service_predicted_rows_total 7.0" in text


def test_page_may_load_nothing_from_elsewhere(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=.?(https?:)?//", page.text)


# A process of its own


@contextmanager
def running(project):
    """Start the service as a user does, and yield its process and its port."""
    package = open_project.__module__.partition(".")[0]
    code = (
        f"from {package}.deployment import serve;"
        f"from {package}.problem.project import open_project;"
        "serve(open_project(), '127.0.0.1', 0)"
    )
    with subprocess.Popen(  # noqa: S603 -- our own command
        [sys.executable, "-c", code], cwd=project.root, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stderr.readline()
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)", line)[1])
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield process, port
        finally:
            process.kill()


def ask(port, body, answers):
    """Send a request over and over until the service hangs up; keep the ids it answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        while True:
            connection.request("POST", "/predict", body)
            answer = json.load(connection.getresponse())
            answers.extend(prediction["id"] for prediction in answer["predictions"])
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def test_sigterm_under_load_loses_no_prediction(own):
    predictor = load_predictor(own.models / store.champion(own.models))
    body = json.dumps({"rows": [predictor.describe()["example"]] * 3})
    answers = []
    with running(own) as (process, port):
        callers = [threading.Thread(target=ask, args=(port, body, answers)) for _ in range(8)]
        for caller in callers:
            caller.start()
        eventually(lambda: len(answers) > 200, seconds=60)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        for caller in callers:
            caller.join(timeout=30)
    assert len(answers) == len(set(answers))
    assert set(answers) <= set(logged(own).facts.index)
