"""Projects that read a live server, from its first page to a served prediction."""

import csv
import json
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
Give = Callable[[str, dict[str, list[str]]], Answer]
KILLS = 12
KILLED = """
import json, os, pathlib, random, shutil, signal, sys, time
import pandas as pd
from my_model.cli import main
from mlsteps.collection import collect  # now, so that the moments are those of collecting
def start():
    child = os.fork()
    if not child:
        main(["collect"])
    return child
dice, raw = random.Random(0), pathlib.Path("data/raw")
started = time.monotonic()
assert os.waitpid(start(), 0)[1] == 0
whole = time.monotonic() - started
for kill in range(int(sys.argv[1])):
    if kill % 3 == 0:  # from nothing; the next two have what is left
        shutil.rmtree(raw, ignore_errors=True)
    child = start()
    time.sleep(dice.uniform(0, whole))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if (raw / "data.parquet").exists():
        ids = pd.read_parquet(raw / "data.parquet")["id"].tolist()
        assert ids == list(range(len(ids))), kill
for _ in range(2):  # the first may end one that had read its last page
    assert os.waitpid(start(), 0)[1] == 0
ids = pd.read_parquet(raw / "data.parquet")["id"].tolist()
assert ids == list(range(len(ids)))
assert json.loads((raw / "provenance.json").read_text())["rows"] == len(ids)
print(len(ids))
"""


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


def openml(path: str, _: dict[str, list[str]]) -> Answer:
    """Answer as OpenML does: with a description, or with the rows."""
    if path.startswith("/data/get_csv"):
        return "text/csv", SAMPLE.read_bytes()
    about = {"id": "31", "name": "credit", "version": "1", "file_id": "9", "licence": "CC0"}
    return "application/json", json.dumps({"data_set_description": about}).encode()


def pages(path: str, _: dict[str, list[str]]) -> Answer:
    """Answer with a page of a table, and a link to the next."""
    number = int(path.rpartition("/")[2])
    part = rows()[SIZE * number : SIZE * (number + 1)]
    lines = [list(part[0]), *(["" if v is None else v for v in row.values()] for row in part)]
    cells = "".join(f"<tr>{''.join(f'<td>{v}</td>' for v in line)}</tr>" for line in lines)
    link = f'<a rel="next" href="{number + 1}">next</a>' if number < 3 else ""
    return "text/html", f"<html><table>{cells}</table>{link}</html>".encode()


class Numbers:
    """Numbered rows, as three kinds of source; the API gets a few new ones while it is asked."""

    def __init__(self) -> None:
        self.api = 1000

    def __call__(self, path: str, query: dict[str, list[str]]) -> Answer:
        """Answer with all rows as a file, or with 50 of them as a page or as records."""
        time.sleep(0.01)
        if path.endswith(".csv"):
            return "text/csv", ("id\n" + "\n".join(map(str, range(100_000)))).encode()
        number = int(query.get("page", ["0"])[0])
        part = range(50 * number, 50 * (number + 1))
        if path.endswith(".html"):
            link = f'<a href="?page={number + 1}">next</a>' if number < 19 else ""
            cells = "".join(f"<p>{n}</p>" for n in part)
            return "text/html", f"<html>{cells}{link}</html>".encode()
        self.api = min(self.api + 1, 1050)
        since = int(query.get("since", ["0"])[0])
        page = [{"id": n} for n in range(since, self.api)][part.start : part.stop]
        return "application/json", json.dumps(page).encode()


ANSWERS: dict[str, Give] = {
    "/api/v1/json/data": openml,
    "/data/get_csv": openml,
    "/api": api,
    "/pages": pages,
    "/robots.txt": lambda *_: ("text/plain", b"User-agent: *\nDisallow: /private"),
}


@contextmanager
def serving(
    answers: dict[str, Give] = ANSWERS, context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """The address of a server that has the sample in all forms, or other answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            answer = next(give for start, give in answers.items() if url.path.startswith(start))
            kind, body = answer(url.path, parse_qs(url.query))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=[0.01]).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


SOURCES = {
    "api": {
        "url": '"{server}/api/loans"',
        "records": '"data.items"',
        "auth": '"bearer"',
        "paging": '"page"',
        "requests_per_second": "100",
    },
    "open_data": {"dataset": '"openml:31"', "server": '"{server}"'},
    "scraping": {
        "url": '"{server}/pages/0"',
        "table": '"table"',
        "next": '"a[rel=next]"',
        "contact": '"me@example.org"',
        "delay_seconds": "0",
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


NUMBERS = {
    "api": {
        "url": '"{server}/numbers"',
        "paging": '"page"',
        "first_page": "0",
        "requests_per_second": "1000",
    },
    "open_data": {"dataset": '"{server}/numbers.csv"'},
    "scraping": {
        "url": '"{server}/numbers.html"',
        "rows": '"p"',
        "fields": '{ id = "p" }',
        "next": '"a"',
        "contact": '"me@example.org"',
        "delay_seconds": "0",
    },
}
NUMBERS["api, new rows"] = NUMBERS["api"] | {"cursor": '"id"', "since_parameter": '"since"'}


@pytest.mark.parametrize("source", NUMBERS)
def test_a_collection_that_is_killed_at_any_moment_ends_with_exactly_the_rows_of_the_source(
    template: Template, environment: Environment, tmp_path: Path, source: str
) -> None:
    project = template.cookiecutter(tmp_path, data_source=source.partition(",")[0])
    numbers = Numbers()
    with serving({"/numbers": numbers, "/robots.txt": ANSWERS["/robots.txt"]}) as server:
        settings = NUMBERS[source].items()
        setting(project, path='""', **{k: v.replace("{server}", server) for k, v in settings})
        done = environment.run(project, "python", "-c", KILLED, str(KILLS))
    rows = {"open_data": 100_000, "scraping": 1000}.get(source, numbers.api)
    assert done.stdout.split()[-1] == str(rows)
    raw = project / "data" / "raw"
    assert not list(raw.rglob(".*")), "what a killed collection leaves is cleared away"


def test_a_certificate_that_does_not_verify_gets_one_sentence(
    template: Template, environment: Environment, tmp_path: Path
) -> None:
    project = template.cookiecutter(tmp_path, data_source="api")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = f"req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {certificate}"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", *made.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(context=context) as server:
        address = server.replace("http:", "https:")
        setting(project, path='""', url=f'"{address}/api/loans"', records='"data.items"')
        command = ["python", "-m", PACKAGE, "collect"]
        refused = environment.run(project, *command, check=False)
        trusted = environment.run(project, *command, SSL_CERT_FILE=str(certificate))
    assert refused.returncode == 2
    assert (
        f"{address}/api/loans does not answer ([SSL: CERTIFICATE_VERIFY_FAILED]" in refused.stderr
    )
    assert "set SSL_CERT_FILE" in refused.stderr
    assert "500 rows and 14 columns" in trusted.stdout


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
