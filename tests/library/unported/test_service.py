"""The service, asked as its callers ask it: whatever framework it was made with, over HTTP."""

import http.client
import json
import re
import shutil
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest
from conftest import edit, run_in
from served import KEY, eventually, kill, logged, measured, post, question_of, running

from {{ cookiecutter.package_name }}.deployment.service import (
    service as endpoints,
)
from {{ cookiecutter.package_name }}.deployment.service.champion import (
    load_serving,
)
from {{ cookiecutter.package_name }}.deployment.service.service import Service
from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.modeling import store
from {{ cookiecutter.package_name }}.modeling.predictor import load_predictor


def test_body_that_is_too_large_is_refused(client):
    chunks = (b" " * 100_000 for _ in range(100))  # sent without a length
    for body in (b" " * 10_000_000, chunks):
        answer = client.post("/predict", content=body)
        assert answer.status_code == 413
        assert answer.json() == {"detail": "The body is larger than 5 MB; send the rows in parts."}


def send(address, data, seconds=30):
    """Send bytes to a service; return what comes back until it hangs up, if it lets us hear it."""
    host, port = address.removeprefix("http://").split(":")
    with (
        suppress(ConnectionError),
        socket.create_connection((host, port), timeout=seconds) as connection,
        connection.makefile("rb") as answer,
    ):
        connection.sendall(data)
        return answer.read()
    return b""


HALF_A_BODY = (
    b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\nConnection: close\r\n\r\n{"
)


@pytest.mark.parametrize("begun", [b"", HALF_A_BODY])
def test_callers_that_stop_in_the_middle_hold_nobody_up(own, begun):
    with running(edit(own, serving={"max_seconds": 1.0})) as service, ExitStack() as stack:
        address = service.address.removeprefix("http://").split(":")
        for _ in range(100):  # more than there are threads
            caller = stack.enter_context(socket.create_connection(address, timeout=30))
            caller.sendall(begun)
        began = time.monotonic()
        assert service.client.get("/health/live").status_code == 200
        assert time.monotonic() - began < 5
        if begun:
            assert b" 408 " in send(service.address, begun)


def test_head_of_a_request_has_an_end(service):
    answer = send(service.address, b"GET / HTTP/1.1\r\nX: " + 2_000_000 * b"x", seconds=5)
    assert not answer or b" 431 " in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /model HTTP/1.1\r\nHost: here\r\nAuthorization Bearer-of-secrets\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\nsecrets\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_not_repeated(service, request_):
    answer = send(service.address, request_)
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert answer.endswith(b'{"detail":"Bad Request"}')
    assert "secrets" not in "".join(service.said)


@pytest.mark.parametrize("path", ["//metrics", "/%2fmetrics", "/metrics%0a", "/metrics/"])
def test_path_that_only_resembles_another_is_unknown(service, path):
    """Or a rule of a proxy for one of them would be got round."""
    request = f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    assert b" 404 " in send(service.address, request.encode())


def test_large_body_is_read_before_its_refusal(client):
    """Its sender would only hear that the connection broke."""
    for _ in range(10):
        assert client.post("/nobody", content=b" " * 6_000_000).status_code == 404


def test_a_million_mistakes_take_no_memory(client):
    many = {f"x{n}": 0 for n in range(300)}
    before = measured(client, "process_resident_memory_bytes")
    for rows in ([many] * 1000, [{f"x{n}": 0 for n in range(300_000)}]):
        answer = post(client, {"rows": rows})
        assert answer.status_code == 422
        assert len(answer.json()["detail"]) == 100
    assert measured(client, "process_resident_memory_bytes") - before < 150e6


def answer_with(project, monkeypatch, answer):
    """Ask a service that answers with a function of the test; return status and content."""
    with Service(project) as service:
        serving = load_serving(project, store.champion(project.models))
        monkeypatch.setattr(endpoints, "answer", answer)
        reply = service.predict(json.dumps(question_of(serving.description)).encode())
    return reply.status, json.loads(reply.body)


def test_failure_is_told_without_its_trace(own, caplog, monkeypatch):
    def fail(predictor, contract, questions):
        raise RuntimeError("secret")

    status, content = answer_with(own, monkeypatch, fail)
    assert status == 500
    assert content == {"detail": "The service failed to answer; its log says why."}
    assert "RuntimeError: secret" in caplog.text


def test_slow_answer_is_refused(own, monkeypatch):
    own = edit(own, serving={"max_seconds": 0.05})
    status, content = answer_with(own, monkeypatch, lambda *asked: time.sleep(0.5))
    assert status == 503
    assert "too long" in content["detail"]


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
        question = question_of(client.get("/model").json())
        assert post(client, question).json()["model"] == first

        new = copy_version(own.models, first)
        store.promote(own, new, "test")
        eventually(lambda: client.get("/model").json()["version"] == new)
        assert post(client, question).json()["model"] == new
        assert measured(client, "service_model_info", version=new) == 1

        broken = copy_version(own.models, first)
        (own.models / broken / store.MODEL).write_bytes(b"not a model")
        store.promote(own, broken, "test")
        eventually(lambda: "detail" in client.get("/health/ready").json())
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["detail"] == f"The champion {broken} cannot be loaded"
        assert post(client, question).json()["model"] == new
        assert measured(client, "service_champion_load_failures_total") == 1
        assert any(store.MODEL in line for line in service.said)

        store.rollback(own, "test")
        eventually(lambda: "detail" not in client.get("/health/ready").json())


def test_challenger_answers_in_the_log_only(own):
    champion = store.champion(own.models)
    edit(own, search={"seed": 1})
    assert run_in(own.root, "train").exit_code == 0
    challenger = store.newest_version(own.models)
    store.set_challenger(own.models, challenger)
    with running(own) as service:
        question = question_of(service.client.get("/model").json())
        answer = post(service.client, question).json()
        assert answer["model"] == champion
        number = len(answer["predictions"])
        eventually(lambda: len(logged(own, challenger=challenger).facts) == number)
        client = service.client
        eventually(lambda: measured(client, "service_shadow_rows_total") == number)
        assert measured(client, "service_shadow_info", version=challenger) == 1
        assert measured(client, "service_shadow_lost_rows_total") == 0
        other = measured(client, "service_shadow_different_rows_total")
        store.set_challenger(own.models, None)
        eventually(lambda: "answers no version" in "".join(service.said))
        assert post(service.client, question).status_code == 200
        eventually(lambda: len(logged(own).facts) == 2 * number)
        broken = copy_version(own.models, challenger)
        (own.models / broken / store.MODEL).write_bytes(b"not a model")
        store.set_challenger(own.models, broken)
        eventually(lambda: f"The challenger {broken} cannot be loaded" in "".join(service.said))
        assert post(client, question).status_code == 200
        assert measured(client, "service_shadow_lost_rows_total") == number
    found = logged(own, challenger=challenger)
    assert set(found.facts["version"]) == {champion}
    expected = load_predictor(own.models / challenger).predict(found.inputs)
    assert found.shadow["prediction"].tolist() == expected["prediction"].tolist()
    assert other == (found.shadow["prediction"] != found.answers["prediction"]).sum()


def test_metrics_count_requests_and_predictions(client, question):
    def counted():
        return [
            *(
                measured(client, "service_requests_total", route=route, status=status)
                for route, status in (("/predict", 200), ("/predict", 422), ("unknown", 404))
            ),
            measured(client, "service_predicted_rows_total"),
        ]

    before = counted()
    number = len(post(client, question).json()["predictions"])
    post(client, b"{")
    client.get("/nobody/asked/for/this")
    after = counted()
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1, number]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_may_load_nothing_from_elsewhere(client, path):
    page = client.get(path)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=.?(https?:)?//", page.text)
    assert page.headers["x-frame-options"] == "DENY"


def test_other_sites_may_not_ask_by_default(client):
    answer = client.get("/model", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_pages_of_other_sites_may_not_write(client, question):
    """A browser sends it before it asks whether it may, so the answer comes too late."""
    elsewhere = {"Origin": "https://elsewhere.example"}
    for headers in (elsewhere, elsewhere | {"Sec-Fetch-Site": "cross-site"}):
        answer = client.post("/predict", content=json.dumps(question), headers=headers)
        assert answer.status_code == 403
        assert "https://elsewhere.example" in answer.json()["detail"]
    host = str(client.base_url).removeprefix("http://").rstrip("/")
    behind_a_proxy = elsewhere | {"Sec-Fetch-Site": "same-origin"}
    for headers in ({"Origin": f"http://{host}"}, behind_a_proxy):
        answer = client.post("/predict", content=json.dumps(question), headers=headers)
        assert answer.status_code == 200


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
        ("env:", "", "name of an environment variable"),
        ("env:KEYS", "", "KEYS, which .* names, holds no keys"),
        ("env:KEYS", "short", "a key of 5 characters"),
    ],
)
def test_bad_keys_are_refused(own, monkeypatch, setting, keys, message):
    monkeypatch.setenv("KEYS", keys)
    with pytest.raises(UserError, match=message) as raised:
        Service(edit(own, serving={"api_keys": setting}))
    assert "my-secret" not in str(raised.value)


def test_site_that_is_no_origin_is_refused(own):
    with pytest.raises(UserError, match=r'\[serving\] cors has "https://shop.example/"'):
        edit(own, serving={"cors": ["https://shop.example/"]})


def test_host_that_is_no_name_is_refused(own):
    edit(own, serving={"host": "a..b"})
    done = run_in(own.root, "serve")
    assert done.exit_code == 2
    assert "cannot listen on a..b" in done.stderr


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
        body = json.dumps(question_of(service.client.get("/model").json()))
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
