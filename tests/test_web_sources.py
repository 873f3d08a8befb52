"""Projects that read a live server, from its first page to a served prediction."""

import csv
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import PACKAGE, REPOSITORY, Environment, Template

pytestmark = pytest.mark.slow

SAMPLE = REPOSITORY / "template" / "data" / "sample" / "credit.csv"
TOKEN = "t0ken-of-a-test"  # noqa: S105 - looked for in all that a project writes
SIZE = 500
Answer = tuple[str, bytes]  # the type of the content, and the content


def rows() -> list[dict[str, object]]:
    """Return the sample as an API would hold it."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [
            {name: int(value) if value.isdigit() else value or None for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def api(_: str, query: dict[str, list[str]]) -> Answer:
    """Answer with a page of records."""
    start = SIZE * (int(query.get("page", ["1"])[0]) - 1)
    page = {"data": {"items": rows()[start : start + SIZE]}}
    return "application/json", json.dumps(page).encode()


ANSWERS: dict[str, Callable[[str, dict[str, list[str]]], Answer]] = {"/api": api}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that has the sample in all forms."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            answer = next(give for start, give in ANSWERS.items() if url.path.startswith(start))
            kind, body = answer(url.path, parse_qs(url.query))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=serving.serve_forever, args=[0.01]).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


SOURCES = {
    "api": {
        "url": '"{server}/api/loans"',
        "records": '"data.items"',
        "auth": '"bearer"',
        "paging": '"page"',
        "requests_per_second": "100",
    },
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_server_is_collected_and_a_prediction_is_served(
    template: Template, environment: Environment, server: str, tmp_path: Path, source: str
) -> None:
    project = template.cookiecutter(tmp_path, data_source=source)
    (project / "data" / "sample" / "credit.csv").unlink()
    setting(project, path='""', method='"none"', candidates='["logistic", "tree"]')
    setting(project, **{k: v.replace("{server}", server) for k, v in SOURCES[source].items()})
    said = ""
    for words in ("collect --preview", "define --target status", "run"):
        command = ["python", "-m", PACKAGE, *words.split()]
        said += environment.run(project, *command, API_TOKEN=TOKEN).stdout
    assert "2,000 rows and 14 columns; nothing was written" in said
    assert "is the champion" in said
    with environment.serve(project) as address:
        row = ask(f"{address}/model")["example"]
        (prediction,) = ask(f"{address}/predict", {"rows": [row]})["predictions"]
    assert prediction["prediction"] in {"good", "bad"}
    written = [file.read_bytes() for file in project.rglob("*") if file.is_file()]
    assert TOKEN not in said
    assert not [content for content in written if TOKEN.encode() in content]


def setting(project: Path, **keys: str) -> None:
    """Change keys of project.toml; each stands in one table only."""
    path = project / "project.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    for key, value in keys.items():
        (place,) = [k for k, line in enumerate(lines) if line.startswith(f"{key} = ")]
        lines[place] = f"{key} = {value}"
    path.write_text("\n".join(lines), encoding="utf-8")


def ask(url: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return dict(json.load(answer))
