"""The service, asked as its callers ask it: whatever framework it was made with, over HTTP."""

import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from types import SimpleNamespace
from uuid import uuid4

import httpx2
import pandas as pd
import pytest
from conftest import edit, run_in

from {{ cookiecutter.package_name }}.deployment.prediction_log import (
    open_log,
    read_predictions,
)
from {{ cookiecutter.package_name }}.deployment.service import log_writer
from {{ cookiecutter.package_name }}.deployment.service.champion import (
    load_serving,
)
from {{ cookiecutter.package_name }}.deployment.service.log_writer import (
    LogWriter,
)
from {{ cookiecutter.package_name }}.deployment.service.service import Service
from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.modeling import store
from {{ cookiecutter.package_name }}.modeling.predictor import (
    Predictor,
    load_predictor,
)
from {{ cookiecutter.package_name }}.problem.project import open_project

KEY = "correct-horse-battery-staple"


@contextmanager
def running(project, **variables):
    """Start the service as a user does; yield its process, its client and what it says."""
    package = open_project.__module__.partition(".")[0]
    with subprocess.Popen(  # noqa: S603 -- our own command
        [sys.executable, "-m", package, "serve", "--port", "0"],
        cwd=project.root,
        env=os.environ | variables,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        said = []
        reader = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)
        reader.start()
        try:
            eventually(lambda: "http://" in "".join(said) or process.poll() is not None, 60)
            address = re.search(r"http://127\.0\.0\.1:\d+", "".join(said))[0]
            with httpx2.Client(base_url=address, timeout=30) as client:
                yield SimpleNamespace(
                    project=project, process=process, address=address, client=client, said=said
                )
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            finally:
                kill(process)
            reader.join(timeout=10)


def kill(process):
    """Kill a service with all of its processes, if it still runs."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def service(project, tmp_path_factory):
    """One service that answers the tests that do not change it."""
    root = tmp_path_factory.mktemp("service") / "project"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("*.db*"))
    own = edit(SimpleNamespace(root=root), data={"missing": ["unheard of", "-777"]})
    with running(own) as service:
        yield service
    assert not [line for line in service.said if "Traceback" in line]


@pytest.fixture(scope="module")
def client(service):
    return service.client


@pytest.fixture(scope="module")
def model(client):
    return client.get("/model").json()


@pytest.fixture
def row(model):
    return dict(model["example"])


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


def measured(client, name, **labels):
    """Return one of the metrics, or 0 if it was not counted yet."""
    given = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    pattern = re.escape(name + (given and "{" + given + "}"))
    found = re.search(f"(?m)^{pattern} (.*)$", client.get("/metrics").text)
    return float(found[1]) if found else 0.0


def post(client, body, path="/predict"):
    return client.post(path, content=body if isinstance(body, bytes) else json.dumps(body))


# Good requests


def test_answers_are_those_of_the_predictor_in_order(project, client):
    rows = pd.read_parquet(project.prepared / "test.parquet")
    predictor = load_predictor(project.models / store.champion(project.models))
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


def test_marks_for_missing_values_mean_missing(service, client, model, row):
    label, number = column(model, "category"), column(model, "number")
    plain, marked = post(
        client,
        {"rows": [row | {label: None, number: None}, row | {label: " unheard of ", number: -777}]},
    ).json()["predictions"]
    assert plain | {"id": ""} == marked | {"id": ""}
    eventually(lambda: marked["id"] in logged(service.project).facts.index)
    assert pd.isna(logged(service.project).inputs.loc[marked["id"], label])


def test_columns_that_the_model_ignores_may_be_given(project, client, row):
    schema = load_predictor(project.models / store.champion(project.models)).schema
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


def test_failure_is_told_without_its_trace(own, caplog, monkeypatch):
    def fail(self, rows):
        raise RuntimeError("secret")

    with Service(own) as service:
        row = load_serving(own, store.champion(own.models)).description["example"]
        monkeypatch.setattr(Predictor, "predict", fail)
        reply = service.predict(json.dumps({"rows": [row]}).encode())
    assert reply.status == 500
    assert json.loads(reply.body) == {"detail": "The service failed to answer; its log says why."}
    assert "RuntimeError: secret" in caplog.text


def test_slow_answer_is_refused(own, monkeypatch):
    own = edit(own, serving={"max_seconds": 0.05})
    with Service(own) as service:
        row = load_serving(own, store.champion(own.models)).description["example"]
        monkeypatch.setattr(Predictor, "predict", lambda self, rows: time.sleep(0.5))
        reply = service.predict(json.dumps({"rows": [row]}).encode())
    assert reply.status == 503
    assert "too long" in json.loads(reply.body)["detail"]


# The log


def test_predictions_are_logged_with_their_newest_feedback(service, client, model, row, truth):
    own = service.project
    answer = post(client, {"rows": [row, row]}).json()
    first, second = answer["predictions"]
    for actual in (model["classes"] or [1.0, truth])[::-1]:
        assert post(client, {"id": first["id"], "actual": actual}, "/feedback").status_code == 200
    newest = (model["classes"] or [1.0])[0]
    eventually(lambda: logged(own).facts["actual"].get(first["id"]) == newest)

    log = logged(own, version=answer["model"])

    assert {first["id"], second["id"]} <= set(log.facts.index)
    assert log.facts["actual"][second["id"]] is None
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


def test_locked_log_delays_no_answer_and_loses_nothing(service, client, row):
    own = service.project
    eventually(lambda: measured(client, "service_log_waiting_rows") == 0)
    with closing(sqlite3.connect(own.root / "predictions.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answers = [post(client, {"rows": [row]}).json() for _ in range(5)]
        assert measured(client, "service_log_waiting_rows") == 5
        other.execute("ROLLBACK")
    ids = {answer["predictions"][0]["id"] for answer in answers}
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


# The champion


def copy_version(models, version):
    """Make another version with the same model."""
    name = f"{version.partition('_')[0]}_{len(store.versions(models)) + 1}"
    shutil.copytree(models / version, models / name)
    return name


def test_champion_is_followed_without_a_restart(own):
    first = store.champion(own.models)
    pointer = own.models / "champion.json"
    pointer.rename(own.root / "later.json")
    with running(own) as service:
        client = service.client
        eventually(lambda: client.get("/health/live").status_code == 200)
        for answer in (client.get("/health/ready"), client.get("/model"), post(client, {})):
            assert answer.status_code == 503
            assert "no model" in answer.json()["detail"]

        (own.root / "later.json").rename(pointer)
        eventually(lambda: client.get("/health/ready").status_code == 200)
        row = client.get("/model").json()["example"]
        assert post(client, {"rows": [row]}).json()["model"] == first

        new = copy_version(own.models, first)
        store.promote(own, new, "test")
        eventually(lambda: client.get("/model").json()["version"] == new)
        assert post(client, {"rows": [row]}).json()["model"] == new
        assert measured(client, "service_model_info", version=new) == 1

        broken = copy_version(own.models, first)
        (own.models / broken / store.MODEL).write_bytes(b"not a model")
        store.promote(own, broken, "test")
        eventually(lambda: "detail" in client.get("/health/ready").json())
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["detail"] == f"The champion {broken} cannot be loaded"
        assert post(client, {"rows": [row]}).json()["model"] == new
        assert measured(client, "service_champion_load_failures_total") == 1
        assert any(store.MODEL in line for line in service.said)

        store.rollback(own, "test")
        eventually(lambda: "detail" not in client.get("/health/ready").json())


# What surrounds it


def test_challenger_answers_in_the_log_only(own):
    champion = store.champion(own.models)
    edit(own, search={"seed": 1})
    assert run_in(own.root, "train").exit_code == 0
    challenger = store.newest_version(own.models)
    store.set_challenger(own.models, challenger)
    with running(own) as service:
        rows = [service.client.get("/model").json()["example"]] * 5
        assert post(service.client, {"rows": rows}).json()["model"] == champion
        eventually(lambda: len(logged(own, challenger=challenger).facts) == 5)
        client = service.client
        eventually(lambda: measured(client, "service_shadow_rows_total") == 5)
        assert measured(client, "service_shadow_info", version=challenger) == 1
        assert measured(client, "service_shadow_lost_rows_total") == 0
        other = measured(client, "service_shadow_different_rows_total")
        store.set_challenger(own.models, None)
        eventually(lambda: "answers no version" in "".join(service.said))
        assert post(service.client, {"rows": rows}).status_code == 200
        eventually(lambda: len(logged(own).facts) == 10)
    found = logged(own, challenger=challenger)
    assert set(found.facts["version"]) == {champion}
    expected = load_predictor(own.models / challenger).predict(found.inputs)
    assert found.shadow["prediction"].tolist() == expected["prediction"].tolist()
    assert other == (found.shadow["prediction"] != found.answers["prediction"]).sum()


def test_openapi_shows_the_row_of_the_model(client, model):
    document = client.get("/openapi.json").json()
    row = document["components"]["schemas"]["Row"]
    assert list(row["properties"]) == [one["name"] for one in model["inputs"]]
    assert row["required"] == [one["name"] for one in model["inputs"] if one["required"]]
    assert document["components"]["schemas"]["Rows"]["examples"] == [{"rows": [model["example"]]}]


def test_metrics_count_requests_and_rows(client, row):
    def counted():
        return [
            *(
                measured(client, "service_requests_total", route=route, status=status)
                for route, status in (("/predict", 200), ("/predict", 422), ("unknown", 404))
            ),
            measured(client, "service_predicted_rows_total"),
            measured(client, "service_model_call_rows_sum"),
        ]

    before = counted()
    post(client, {"rows": [row] * 7})
    post(client, {})
    client.get("/nobody/asked/for/this")
    after = counted()
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1, 7, 7]


def test_metrics_show_what_monitor_found(service, client, row):
    minimum = service.project.definition.improvement.minimum_rows
    answers = post(client, {"rows": [row] * minimum}).json()["predictions"]
    eventually(lambda: answers[-1]["id"] in logged(service.project).facts.index)
    assert run_in(service.project.root, "monitor").exit_code == 1  # one row, over and over
    version = client.get("/model").json()["version"]
    assert measured(client, "model_alarms", version=version, kind="drift") > 0
    assert measured(client, "model_monitored_rows", version=version) >= minimum
    looked = measured(client, "model_monitored_timestamp_seconds", version=version)
    assert time.time() - looked < 60
    assert measured(client, "model_drift_p_value", version=version, column="prediction") < 0.01


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_may_load_nothing_from_elsewhere(client, path):
    page = client.get(path)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=.?(https?:)?//", page.text)
    assert page.headers["x-frame-options"] == "DENY"


def test_other_sites_may_not_ask_by_default(client, row):
    answer = client.get("/model", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_request_is_found_in_the_log_by_its_id(service, client):
    answer = client.get("/model", headers={"X-Request-ID": "order-66"})
    assert answer.headers["x-request-id"] == "order-66"
    eventually(lambda: any('"order-66"' in line for line in service.said))
    (line,) = (json.loads(line) for line in service.said if '"order-66"' in line)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/model", 200)
    forged = client.get("/model", headers={"X-Request-ID": "a" * 200})
    assert re.fullmatch("[0-9a-f]{32}", forged.headers["x-request-id"])


def test_keys_pages_and_origins_are_what_project_toml_says(own):
    site = "https://shop.example"
    own = edit(own, serving={"api_keys": "env:KEYS", "docs": False, "page": False, "cors": [site]})
    with running(own, KEYS=f"{'x' * 20}, {KEY}") as service:
        client = service.client
        assert client.get("/health/live").status_code == 200
        assert client.get("/model").status_code == 401
        assert "Bearer KEY" in client.get("/model").json()["detail"]
        client.headers["Authorization"] = "Bearer " + "y" * 20
        assert client.get("/model").json() == {"detail": "The key is not known."}
        for key in ("x" * 20, KEY):
            client.headers["Authorization"] = f"Bearer {key}"
            assert client.get("/model").status_code == 200
        for path in ("/", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 404
        asked = {"Origin": site, "Access-Control-Request-Method": "POST"}
        allowed = client.options("/predict", headers=asked)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == site
        assert client.get("/model", headers={"Origin": site}).headers["vary"] == "Origin"
        refused = client.options("/predict", headers=asked | {"Origin": "https://evil.example"})
        assert refused.status_code == 405
    assert not [line for line in service.said if KEY in line or "x" * 20 in line]


@pytest.mark.parametrize(
    ("setting", "keys", "message"),
    [
        ("my-secret-key-1234567", "", "name of an environment variable"),
        ("env:KEYS", "", "KEYS, which .* names, holds no keys"),
        ("env:KEYS", "short", "a key of 5 characters"),
    ],
)
def test_bad_keys_are_refused(own, monkeypatch, setting, keys, message):
    monkeypatch.setenv("KEYS", keys)
    with pytest.raises(UserError, match=message) as raised:
        Service(edit(own, serving={"api_keys": setting}))
    assert "my-secret" not in str(raised.value)


# Under load


def ask(address, body, answers):
    """Send a request over and over until the service hangs up; keep the ids it answered."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        while True:
            connection.request("POST", "/predict", body)
            answer = json.load(connection.getresponse())
            answers.extend(prediction["id"] for prediction in answer["predictions"])
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_answered_is_logged_when_the_service_ends(own, end):
    """SIGTERM loses nothing; SIGKILL at most what was answered in the last moment before it."""
    answers = []
    with running(own) as service:
        body = json.dumps({"rows": [service.client.get("/model").json()["example"]] * 3})
        callers = [
            threading.Thread(target=ask, args=(service.address, body, answers)) for _ in range(8)
        ]
        for caller in callers:
            caller.start()
        eventually(lambda: len(answers) > 200, seconds=60)
        if end == signal.SIGTERM:
            service.process.send_signal(end)
        else:
            old = answers.copy()
            time.sleep(1)
            kill(service.process)
        service.process.wait(timeout=30)
        for caller in callers:
            caller.join(timeout=30)
    assert len(answers) == len(set(answers))
    kept = set(logged(own).facts.index)
    assert set(answers if end == signal.SIGTERM else old) <= kept
