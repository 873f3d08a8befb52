"""The service over HTTP, as its callers see it, whichever framework the project chose."""

import http.client
import json
import re
import shutil
import signal
import threading
import time

import pytest
from mlsteps import UserError
from mlsteps.deployment.service import ApiKeys, PredictionService
from mlsteps.deployment.service.served_model import ServedRowModel
from mlsteps.modeling import store
from project import FOLDER, edit, load, package, part, run_in
from served import KEY, eventually, example_of, kill, logged, measured, post, running

SERVINGS = ["fastapi", "flask"]


def test_body_that_is_too_large_is_refused(client):
    chunks = (b" " * 100_000 for _ in range(100))  # sent without a length
    for body in (b" " * 10_000_000, chunks):
        response = client.post("/predict", content=body)
        assert response.status_code == 413
        assert response.json() == {
            "detail": "The body is larger than 5 MB; send the rows in parts."
        }


def test_large_body_is_read_before_its_refusal(client):
    """Its sender would only hear that the connection broke."""
    for _ in range(10):
        assert client.post("/nobody", content=b" " * 6_000_000).status_code == 404


def test_a_million_mistakes_take_no_memory(client):
    many = {f"x{n}": 0 for n in range(300)}
    before = measured(client, "process_resident_memory_bytes")
    for rows in ([many] * 1000, [{f"x{n}": 0 for n in range(300_000)}]):
        response = post(client, {"rows": rows})
        assert response.status_code == 422
        assert len(response.json()["detail"]) == 100
    assert measured(client, "process_resident_memory_bytes") - before < 150e6


def predict_with(project, monkeypatch, predict):
    """Send a request to a service that predicts with a function of the test."""
    with PredictionService(project, load_model(project)) as service:
        body = json.dumps(example_of(json.loads(service.model().body))).encode()
        monkeypatch.setattr(ServedRowModel, "predict", predict)
        response = service.predict(body)
    return response.status, json.loads(response.body)


def load_model(project):
    return part(project.definition.problem.type, "modeling.predictor").load_model


def test_failure_is_told_without_its_trace(own, caplog, monkeypatch):
    def fail(model, requests):
        raise RuntimeError("secret")

    status, content = predict_with(own, monkeypatch, fail)
    assert status == 500
    assert content == {"detail": "The service failed to answer; its log says why."}
    assert "RuntimeError: secret" in caplog.text


def test_slow_prediction_is_refused(own, monkeypatch):
    own = edit(own, serving={"max_seconds": 0.05})
    status, content = predict_with(own, monkeypatch, lambda model, requests: time.sleep(0.5))
    assert status == 503
    assert "too long" in content["detail"]


def test_a_service_can_start_again(own):
    service = PredictionService(own, load_model(own))
    for _ in range(2):
        with service:
            body = json.dumps(example_of(json.loads(service.model().body))).encode()
            assert service.predict(body).status == 200
    assert len(logged(own)) == 2


def copy_version(models, version):
    """Make another version with the same model."""
    name = f"{version.partition('_')[0]}_{len(store.versions(models)) + 1}"
    shutil.copytree(models / version, models / name)
    return name


def test_champion_is_followed_without_a_restart(own, serving):
    first = store.champion(own.models)
    pointer = own.models / "champion.json"
    pointer.rename(own.root / "later.json")
    with running(own, serving) as service:
        client = service.client
        eventually(lambda: client.get("/health/live").status_code == 200)
        for response in (client.get("/health/ready"), client.get("/model"), post(client, {})):
            assert response.status_code == 503
            assert "no model" in response.json()["detail"]

        (own.root / "later.json").rename(pointer)
        eventually(lambda: client.get("/health/ready").status_code == 200)
        example = example_of(client.get("/model").json())
        assert post(client, example).json()["model"] == first

        new = copy_version(own.models, first)
        store.promote(own, new, "test")
        eventually(lambda: client.get("/model").json()["version"] == new)
        assert post(client, example).json()["model"] == new
        eventually(lambda: measured(client, "service_model_info", version=new) == 1)

        broken = copy_version(own.models, first)
        (own.models / broken / store.MODEL).write_bytes(b"not a model")
        store.promote(own, broken, "test")
        eventually(lambda: "detail" in client.get("/health/ready").json())
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["detail"] == f"The champion {broken} cannot be loaded"
        assert post(client, example).json()["model"] == new
        eventually(lambda: measured(client, "service_champion_load_failures_total") == 1)
        eventually(lambda: any(store.MODEL in line for line in service.log))

        store.rollback(own, "test")
        eventually(lambda: "detail" not in client.get("/health/ready").json())

        text = pointer.read_text()
        pointer.write_text(text.replace(new, "../.."))
        eventually(lambda: "champion ../.. cannot" in client.get("/health/ready").text)
        pointer.unlink()
        ready_says(client, "There is no champion.json any more; `promote VERSION` makes it.")
        pointer.write_text("{")
        ready_says(client, "models/champion.json is damaged")
        pointer.write_text(text)
        eventually(lambda: "detail" not in client.get("/health/ready").json())
        shutil.move(own.models / new, own.root / new)
        ready_says(client, f"The folder of {new} is gone")
        assert post(client, example).json()["model"] == new


def ready_says(client, text):
    eventually(lambda: text in client.get("/health/ready").json().get("detail", ""))
    assert client.get("/health/ready").status_code == 200


def test_champion_that_cannot_be_loaded_is_named_from_the_start(own, serving):
    version = store.champion(own.models)
    (own.models / version / store.MODEL).write_bytes(b"not a model")
    with running(own, serving) as service:
        eventually(lambda: service.client.get("/health/live").status_code == 200)
        for _ in range(3):
            ready = service.client.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["detail"] == f"The champion {version} cannot be loaded"
            time.sleep(1)
    assert sum("cannot be loaded" in line for line in service.log) == 1


def test_challenger_predicts_in_the_log_only(own, serving):
    champion = store.champion(own.models)
    edit(own, search={"seed": 1})
    assert run_in(own.root, "train").exit_code == 0
    challenger = store.newest_version(own.models)
    store.set_challenger(own.models, challenger)
    with running(own, serving) as service:
        example = example_of(service.client.get("/model").json())
        response = post(service.client, example).json()
        assert response["model"] == champion
        number = len(response["predictions"])
        eventually(lambda: len(logged(own, challenger=challenger)) == number)
        client = service.client
        eventually(lambda: measured(client, "service_shadow_rows_total") == number)
        assert measured(client, "service_shadow_info", version=challenger) == 1
        assert measured(client, "service_shadow_lost_rows_total") == 0
        store.set_challenger(own.models, None)
        eventually(lambda: "No version runs in shadow mode" in "".join(service.log))
        assert post(service.client, example).status_code == 200
        eventually(lambda: len(logged(own)) == 2 * number)
        broken = copy_version(own.models, challenger)
        (own.models / broken / store.MODEL).write_bytes(b"not a model")
        store.set_challenger(own.models, broken)
        eventually(lambda: f"The challenger {broken} cannot be loaded" in "".join(service.log))
        assert post(client, example).status_code == 200
        assert measured(client, "service_shadow_lost_rows_total") == number
        other = measured(client, "service_shadow_different_rows_total")
    found = logged(own, challenger=challenger)
    assert set(found.metadata["version"]) == {champion}
    expected = load(own, challenger).predict(found.inputs)
    assert found.shadow["prediction"].tolist() == expected["prediction"].tolist()
    assert other == (found.shadow["prediction"] != found.predictions["prediction"]).sum()


def test_metrics_count_requests_and_predictions(client, example):
    def counted():
        return [
            *(
                measured(client, "service_requests_total", route=route, status=status)
                for route, status in (("/predict", 200), ("/predict", 422), ("unknown", 404))
            ),
            measured(client, "service_predicted_rows_total"),
        ]

    before = counted()
    number = len(post(client, example).json()["predictions"])
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


def test_pages_of_other_sites_may_not_read_by_default(client):
    response = client.get("/model", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_pages_of_other_sites_may_not_write(client, example):
    """A browser sends it before it asks whether it may, so the answer comes too late."""
    elsewhere = {"Origin": "https://elsewhere.example"}
    broken = {"Origin": "http://[::1"}
    for headers in (elsewhere, elsewhere | {"Sec-Fetch-Site": "cross-site"}, broken):
        response = client.post("/predict", content=json.dumps(example), headers=headers)
        assert response.status_code == 403
        assert headers["Origin"] in response.json()["detail"]
    host = str(client.base_url).removeprefix("http://").rstrip("/")
    behind_a_proxy = elsewhere | {"Sec-Fetch-Site": "same-origin"}
    for headers in ({"Origin": f"http://{host}"}, behind_a_proxy):
        response = client.post("/predict", content=json.dumps(example), headers=headers)
        assert response.status_code == 200


def test_name_of_another_host_that_leads_here_is_refused(client, example):
    """A page of evil.example may let its name lead to 127.0.0.1, and is then of the same site."""
    rebound = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}
    for response in (
        client.get("/model", headers=rebound),
        client.post("/predict", content=json.dumps(example), headers=rebound),
    ):
        assert response.status_code == 403
        assert "evil.example:8000 is not known here" in response.json()["detail"]
    for name in ("localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert client.get("/model", headers={"Host": name}).status_code == 200
    assert client.get("/health/ready", headers=rebound).status_code == 200


def test_service_is_known_by_the_names_of_project_toml(own, serving):
    own = edit(own, serving={"allowed_hosts": ["churn.example"]})
    with running(own, serving) as service:
        for host, status in (("churn.example", 200), ("localhost", 200), ("evil.example", 403)):
            response = service.client.get("/model", headers={"Host": host})
            assert response.status_code == status
    with pytest.raises(UserError, match=r"allowed_hosts.0 is .https://shop.example"):
        edit(own, serving={"allowed_hosts": ["https://shop.example"]})


def test_request_is_found_in_the_log_by_its_id(service, client):
    response = client.get("/model", headers={"X-Request-ID": "order-66"})
    assert response.headers["x-request-id"] == "order-66"
    eventually(lambda: any('"order-66"' in line for line in service.log))
    (line,) = (json.loads(line) for line in service.log if '"order-66"' in line)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/model", 200)
    forged = client.get("/model", headers={"X-Request-ID": "a" * 200})
    assert re.fullmatch("[0-9a-f]{32}", forged.headers["x-request-id"])


def test_keys_pages_and_origins_are_what_project_toml_says(own, serving):
    site = "https://shop.example"
    own = edit(own, serving={"api_keys": "env:KEYS", "docs": False, "page": False, "cors": [site]})
    with running(own, serving, KEYS=f"{'x' * 20}, {KEY}") as service:
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
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == site
        response = client.get("/model", headers={"Origin": site})
        assert response.headers["access-control-allow-origin"] == site
        refused = client.options("/predict", headers=asked | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers
    assert not [line for line in service.log if KEY in line or "x" * 20 in line]


@pytest.mark.parametrize(
    ("setting", "keys", "message"),
    [
        ("my-secret-key-1234567", "", "name of an environment variable"),
        ("env:", "", "name of an environment variable"),
        ("env:KEYS", "", "KEYS, which .* names, is not set"),
        ("env:KEYS", "short", "a key of less than 16 characters"),
    ],
)
def test_bad_keys_are_refused(monkeypatch, setting, keys, message):
    monkeypatch.setenv("KEYS", keys)
    with pytest.raises(UserError, match=message) as raised:
        ApiKeys(setting)
    assert "my-secret" not in str(raised.value)


def test_site_that_is_no_origin_is_refused(own):
    with pytest.raises(UserError, match=r"\[serving\] cors.0 is .https://shop.example/."):
        edit(own, serving={"cors": ["https://shop.example/"]})


def test_host_that_is_no_name_is_refused(own):
    edit(own, serving={"host": "a..b"})
    done = run_in(own.root, "serve")
    assert done.exit_code == 2
    assert "cannot listen on a..b" in done.stderr


def send(address, body, ids):
    """Send a request over and over until the service hangs up; keep the ids it returned."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        while True:
            connection.request("POST", "/predict", body)
            response = json.load(connection.getresponse())
            ids.extend(prediction["id"] for prediction in response["predictions"])
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_predicted_is_logged_when_the_service_ends(own, serving, end):
    """SIGTERM loses nothing; SIGKILL at most the predictions of the last moment before it."""
    ids = []
    with running(own, serving) as service:
        body = json.dumps(example_of(service.client.get("/model").json()))
        callers = [
            threading.Thread(target=send, args=(service.address, body, ids)) for _ in range(8)
        ]
        for caller in callers:
            caller.start()
        eventually(lambda: len(ids) > 200, seconds=60)
        if end == signal.SIGTERM:
            service.process.send_signal(end)
        else:
            old = ids.copy()
            time.sleep(1)
            kill(service.process)
        service.process.wait(timeout=30)
        for caller in callers:
            caller.join(timeout=30)
    assert len(ids) == len(set(ids))
    kept = set(logged(own).metadata.index)
    assert set(ids if end == signal.SIGTERM else old) <= kept


def test_flask_serves_where_gunicorn_cannot(own, tmp_path):
    """Windows lacks the module fcntl, on which gunicorn stands."""
    name, folder = package("classification", "flask").__name__, tmp_path / "packages"
    shutil.copytree(FOLDER / name, folder / name)
    (folder / "gunicorn.py").write_text("import no_such_module_as_fcntl_on_windows\n")
    with running(own, "flask", folder) as service:
        example = example_of(service.client.get("/model").json())
        (prediction,) = post(service.client, example).json()["predictions"]
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(timeout=30)
    assert [line for line in service.log if "/predict" in line and "200" in line]
    assert not [line for line in service.log if "Traceback" in line or "HTTP/1.1" in line]
    assert prediction["id"] in logged(own).metadata.index


def call(address, body, answered, ended):
    """Send requests by a connection that is kept until the service refuses a new one."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        while True:
            connection.request("POST", "/predict", body)
            assert connection.getresponse().read().startswith(b'{"model"')
            answered.add(threading.get_ident())
    except (OSError, http.client.HTTPException) as error:
        ended.append(error)


def test_sigterm_cuts_no_request_that_a_caller_sends_by_a_kept_connection(own, serving):
    """Each gets a response, which is the last of its connection, and may not make another."""
    answered, ended = set(), []
    with running(own, serving) as service:
        body = json.dumps(example_of(service.client.get("/model").json()))
        arguments = (service.address, body, answered, ended)
        callers = [threading.Thread(target=call, args=arguments) for _ in range(16)]
        for caller in callers:
            caller.start()
        eventually(lambda: len(answered) == len(callers) or ended)
        assert not ended
        service.client.close()
        service.process.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join(timeout=30)
    assert [type(error) for error in ended] == [ConnectionRefusedError] * len(callers)


ENDPOINTS = {
    "fastapi": """
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel

class Order(BaseModel):
    amount: float

@app.get("/orders/{number}")
def read_order(number: int) -> dict[str, int]:
    "Read an order."
    return {"number": number}

@app.post("/orders")
def add_order(order: Order) -> Order:
    "Add an order."
    return order

@app.post("/first")
def predict_first(row: dict[str, object]) -> dict[str, object]:
    return service.predict_json({"rows": [row]})[0]

@app.middleware("http")
async def add_header(request: Request, call_next):
    response = await call_next(request)
    response.headers["X-Shop"] = "open"
    return response
""",
    "flask": """
from flask import request

@app.get("/orders/<int:number>")
def read_order(number):
    "Read an order."
    return {"number": number}

@app.post("/orders")
def add_order():
    "Add an order."
    return request.get_json()

@app.post("/first")
def predict_first():
    return service.predict_json({"rows": [request.get_json()]})[0]

@app.after_request
def add_header(response):
    response.headers["X-Shop"] = "open"
    return response
""",
}


def test_endpoints_of_the_project_are_served_like_the_others(own, serving, tmp_path):
    """They are written as the framework's tutorial does, and get keys, ids, counts and OpenAPI."""
    name = package("classification", serving).__name__
    shutil.copytree(FOLDER / name, tmp_path / "packages" / name)
    app = tmp_path / "packages" / name / "deployment" / "service" / f"{serving}_app.py"
    app.write_text(app.read_text(encoding="utf-8") + ENDPOINTS[serving], encoding="utf-8")
    own = edit(own, serving={"api_keys": "env:KEYS"})
    with running(own, serving, tmp_path / "packages", KEYS=KEY) as service:
        client = service.client
        assert client.get("/orders/3").status_code == 401
        client.headers["Authorization"] = f"Bearer {KEY}"
        response = client.get("/orders/3")
        assert response.json() == {"number": 3}
        assert response.headers["x-shop"] == "open"
        assert len(response.headers["x-request-id"]) == 32
        assert client.post("/orders", json={"amount": 2.5}).json() == {"amount": 2.5}
        predicted = client.post("/first", json=client.get("/model").json()["example"])
        eventually(lambda: predicted.json()["id"] in logged(own).metadata.index)
        refused = client.post("/first", json={"nobody": 1})
        assert refused.status_code == 422
        assert refused.json()["detail"][-1]["field"] == "nobody"
        paths = client.get("/openapi.json").json()["paths"]
        assert {"/predict", "/feedback", "/model", "/orders"} <= paths.keys()
        (reading,) = [path for path in paths if path.startswith("/orders/{")]
        assert "Read" in paths[reading]["get"]["summary"]
        assert "post" in paths["/orders"]
        route = {"fastapi": "/orders/{number}", "flask": "/orders/<int:number>"}[serving]
        assert measured(client, "service_requests_total", route=route, status=200) == 1
