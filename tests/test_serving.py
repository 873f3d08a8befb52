"""Whatever serves a project, the same request gets the same answer."""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import copier
import pytest
from combinations import CHOICES
from compatibility import done
from conftest import PACKAGE, REPOSITORY, Environment, commit

pytestmark = pytest.mark.slow

FRAMEWORKS = ["fastapi", "flask"]
KEY = "a-key-that-is-long-enough"
HEADERS = ("content-type", "cache-control", "x-content-type-options", "www-authenticate")

# method, path, body (EXAMPLE is the model's own row), headers
EXAMPLE = "the model's example"
REQUESTS: list[tuple[str, str, object, dict[str, str]]] = [
    ("POST", "/predict", EXAMPLE, {}),
    ("POST", "/predict", EXAMPLE, {"X-Request-ID": "mine"}),
    ("POST", "/predict", EXAMPLE, {"Content-Type": "text/plain"}),
    ("POST", "/predict", b"", {}),
    ("POST", "/predict", b"{", {}),
    ("POST", "/predict", b"\xff\xfe", {}),
    ("POST", "/predict", b'{"rows": [{"a": NaN}]}', {}),
    ("POST", "/predict", b"[" * 100_000, {}),
    ("POST", "/predict", b" " * 6_000_000, {}),
    ("POST", "/predict", {}, {}),
    ("POST", "/predict", {"rows": []}, {}),
    ("POST", "/predict", {"rows": [{}] * 1001}, {}),
    ("POST", "/predict", {"rows": [{"nobody": 1}, 3, None, []]}, {}),
    ("POST", "/predict", {"rows": [{"age": "old", "seniority": True, "job": [1]}]}, {}),
    ("POST", "/predict?rows=1", EXAMPLE, {}),
    ("POST", "/predict/", EXAMPLE, {}),
    ("POST", "/predict", EXAMPLE, {"Origin": "https://elsewhere.example"}),
    ("POST", "/predict", EXAMPLE, {"SCRIPT_NAME": "/predict"}),
    ("GET", "/metrics/", None, {}),
    ("GET", "/predict", None, {}),
    ("PUT", "/predict", EXAMPLE, {}),
    ("POST", "/feedback", {"id": "0" * 32, "actual": "good"}, {}),
    ("POST", "/feedback", {"id": "0" * 32, "actual": "perhaps"}, {}),
    ("POST", "/feedback", {"id": 3}, {}),
    ("POST", "/feedback", [], {}),
    ("GET", "/model", None, {}),
    ("GET", "/model", None, {"Authorization": "Bearer wrong-but-long-enough"}),
    ("GET", "/model", None, {"Authorization": ""}),
    ("POST", "/predict", EXAMPLE, {"Authorization": "Basic " + KEY}),
    ("DELETE", "/model", None, {}),
    ("GET", "/health/live", None, {"Authorization": ""}),
    ("GET", "/health/ready", None, {"Authorization": ""}),
    ("GET", "/", None, {"Authorization": ""}),
    ("GET", "/docs", None, {"Authorization": ""}),
    ("GET", "/nobody", None, {}),
    ("GET", "/static/page.html", None, {}),
    ("GET", "/%2e%2e/project.toml", None, {}),
]


every_type = pytest.mark.parametrize(
    "addresses", CHOICES["problem_type"], indirect=True, scope="module"
)


@pytest.fixture(scope="session")
def changed(
    finished: Callable[[str], Path],
    environment: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], Path]:
    """Finished projects with any serving: those that began with another were updated and run."""
    made: dict[tuple[str, str], Path] = {}

    def change(problem_type: str, serving: str) -> Path:
        if serving == CHOICES["serving"][0]:
            return finished(problem_type)
        if (problem_type, serving) not in made:
            folder = tmp_path_factory.mktemp(serving) / "my-model"
            project = shutil.copytree(finished(problem_type), folder)
            commit(project, "Begin")
            copier.run_update(project, data={"serving": serving}, defaults=True, overwrite=True)
            done("updated by copier", project)
            environment.run(project, "python", "-m", PACKAGE, "run")
            made[problem_type, serving] = project
        return made[problem_type, serving]

    return change


@pytest.fixture(scope="module")
def addresses(
    request: pytest.FixtureRequest,
    changed: Callable[[str, str], Path],
    environment: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, str]]:
    """A service of each framework, with the same model."""
    with ExitStack() as stack:
        found = {}
        for name in FRAMEWORKS:
            project = tmp_path_factory.mktemp(name) / "my-model"
            shutil.copytree(changed(request.param, name), project)
            text = (project / "project.toml").read_text(encoding="utf-8")
            text = text.replace('api_keys = ""', 'api_keys = "env:KEYS"')
            (project / "project.toml").write_text(text, encoding="utf-8")
            found[name] = stack.enter_context(environment.serve(project, KEYS=KEY))
        yield found


def send(
    address: str, method: str, path: str, body: object, headers: dict[str, str]
) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers of an answer; what is new in each is made the same."""
    if body is EXAMPLE:
        model = json.loads(send(address, "GET", "/model", None, {})[1])
        example = model["example"]
        body = example if model["problem"] == "forecasting" else {"rows": [example]}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Authorization": f"Bearer {KEY}", **headers}
    request = urllib.request.Request(address + path, data, given, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = re.sub(rb'"id":"[0-9a-f]{32}"', b'"id":"X"', answer.read())
        names = {k.lower(): v for k, v in answer.headers.items()}
    kept = {name: names[name] for name in HEADERS if name in names}
    identity = names["x-request-id"]
    return answer.status, content, kept | {"id": "new" if len(identity) == 32 else identity}


@every_type
@pytest.mark.parametrize("serving", FRAMEWORKS)
def test_a_project_that_was_changed_to_it_serves_what_it_learnt(
    addresses: dict[str, str], serving: str
) -> None:
    """Each type in each framework; that the engines start the same project is another test."""
    status, content, _ = send(addresses[serving], "POST", "/predict", EXAMPLE, {})
    assert status == 200
    assert all("prediction" in answer for answer in json.loads(content)["predictions"])


@pytest.mark.parametrize("problem_type", CHOICES["problem_type"])
def test_a_project_that_was_changed_to_batch_scores_its_data(
    problem_type: str, changed: Callable[[str, str], Path], environment: Environment, tmp_path: Path
) -> None:
    project = changed(problem_type, "batch")
    assert not (project / "src" / PACKAGE / "deployment" / "service").exists()
    (sample,) = (project / "data" / "sample").glob("*.csv")
    scored = tmp_path / "scored.csv"
    environment.run(project, "python", "-m", PACKAGE, "predict", str(sample), str(scored))
    head, *rows = scored.read_text(encoding="utf-8").splitlines()
    assert "prediction" in head.split(",")
    if problem_type != "forecasting":  # that answers with the dates that come next
        assert len(rows) == len(sample.read_text(encoding="utf-8").splitlines()) - 1
    assert rows


@every_type
@pytest.mark.parametrize(
    "request_", REQUESTS, ids=lambda r: f"{r[0]} {r[1]} {str(r[2])[:20]} {r[3] or ''}"
)
def test_both_frameworks_give_the_same_answer(
    addresses: dict[str, str], request_: tuple[str, str, object, dict[str, str]]
) -> None:
    first, second = (send(address, *request_) for address in addresses.values())
    assert first == second
    assert first[0] < 500


@every_type
def test_both_frameworks_describe_the_same_requests(addresses: dict[str, str]) -> None:
    documents = [
        json.loads(send(address, "GET", "/openapi.json", None, {})[1])
        for address in addresses.values()
    ]
    first, second = (document["components"] for document in documents)
    assert first["schemas"] == second["schemas"]
    assert first["securitySchemes"]["key"]["scheme"] == second["securitySchemes"]["key"]["scheme"]
    first, second = (
        {
            (path, method): (one["summary"], one["responses"])
            for path, methods in document["paths"].items()
            for method, one in methods.items()
        }
        for document in documents
    )
    assert first.keys() == second.keys()
    for request_ in first.keys() - {("/metrics", "get"), ("/health/live", "get")}:
        assert first[request_] == second[request_]


@every_type
@pytest.mark.parametrize("serving", FRAMEWORKS)
def test_no_request_that_fits_the_description_or_does_not_makes_it_fail(
    addresses: dict[str, str], serving: str
) -> None:
    checks = "not_a_server_error,response_schema_conformance,status_code_conformance"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            addresses[serving] + "/openapi.json",
            *("--header", f"Authorization: Bearer {KEY}", "--checks", checks),
            *("--max-examples", "30", "--seed", "0"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("addresses", ["classification"], indirect=True, scope="module")
@pytest.mark.parametrize("serving", FRAMEWORKS)
def test_ten_thousand_requests_on_64_connections_find_it_as_it_was(
    addresses: dict[str, str], serving: str, tmp_path: Path
) -> None:
    """None fails, and the memory stays what it is after the first two thousand."""
    address = addresses[serving]
    example = json.loads(send(address, "GET", "/model", None, {})[1])["example"]
    (tmp_path / "body.json").write_text(json.dumps({"rows": [example]}), encoding="utf-8")
    load(address, tmp_path / "body.json", 2_000)
    before = memory(address)
    assert load(address, tmp_path / "body.json", 8_000) == {"200": 8_000}
    assert memory(address) - before < 30e6


def load(address: str, body: Path, requests: int) -> dict[str, int]:
    """Send many requests at once, and return how many answers there were of each status."""
    done = subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "benchmarks" / "load.py")),
            *(address + "/predict", str(body), "--header", f"Authorization: Bearer {KEY}"),
            *("--connections", "64", "--requests", str(requests), "--seconds", "120"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(done.stdout)["statuses"])


def memory(address: str) -> float:
    """Return the resident memory of a service, in bytes."""
    with urllib.request.urlopen(address + "/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.search(r"(?m)^process_resident_memory_bytes (\S+)$", text)
    assert found is not None
    return float(found[1])
