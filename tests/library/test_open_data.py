"""Data sets of OpenML, UCI, Kaggle and of a URL, from a server that answers as theirs do."""

import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
from mlsteps.collection import read_raw, web
from mlsteps.errors import UserError
from project import collect_rows, edit, run_in

ROWS = pd.DataFrame({"age": [31, 45, 27], "home": ["rent", "own", "own"], "risk": ["b", "g", "g"]})
CSV = ROWS.to_csv(index=False).encode()
KEY = "k4ggle-key"
FISHER = "R. A. Fisher (1936)"


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return buffer.getvalue()


def parquet():
    buffer = io.BytesIO()
    ROWS.to_parquet(buffer)
    return buffer.getvalue()


@pytest.fixture
def repository(monkeypatch):
    """A server: its answers by path (a status and a body), and who asked for what."""

    class Repository:
        answers = {}
        asked = []
        address = ""

    said = Repository()
    said.asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            said.asked.append((self.path, self.headers.get("Authorization", "")))
            status, body = said.answers.get(self.path, (404, b"{}"))
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01]).start()
    said.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(web, "FIRST_WAIT", 0.001)
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
    described = {
        "id": "31",
        "name": "credit-g",
        "version": "1",
        "file_id": "31",
        "licence": "Public",
        "citation": "Hofmann (1994)",
    }
    versions = [{"did": 31, "name": "credit-g", "version": 1}, {"did": 44096, "version": 2}]
    uci = {
        "uci_id": 53,
        "name": "Iris",
        "data_url": f"{said.address}/static/public/53/data.csv",
        "creators": ["R. A. Fisher"],
        "year_of_dataset_creation": 1936,
        "dataset_doi": "10.24432/C56C76",
    }
    kaggle = {"title": "Credit", "ownerName": "Ann", "licenseName": "CC0-1.0"}
    said.answers = {
        "/api/v1/json/data/31": (200, {"data_set_description": described}),
        "/data/get_csv/31": (200, CSV),
        "/api/v1/json/data/list/data_name/credit-g/status/active": (
            200,
            {"data": {"dataset": versions}},
        ),
        "/api/v1/json/data/44096": (
            200,
            {"data_set_description": described | {"parquet_url": f"{said.address}/44096.pq"}},
        ),
        "/44096.pq": (200, parquet()),
        "/api/v1/json/data/7": (412, {"error": {"code": "111", "message": "Unknown dataset"}}),
        "/api/dataset?id=53": (200, {"status": 200, "data": uci}),
        "/api/dataset?id=54": (200, {"status": 200, "data": uci | {"data_url": None}}),
        "/api/dataset?id=7": (404, {"status": 404, "message": "No dataset"}),
        "/static/public/53/data.csv": (200, CSV),
        "/api/v1/datasets/view/ann/credit": (200, kaggle),
        "/api/v1/datasets/download/ann/credit": (200, zipped("notes.md", "credit.csv")),
        "/api/v1/datasets/view/ann/many": (200, kaggle),
        "/api/v1/datasets/download/ann/many": (200, zipped("a.csv", "in/b.csv")),
        "/api/v1/competitions/data/download-all/titanic": (200, zipped("test.csv", "train.csv")),
        "/api/v1/competitions/data/download-all/closed": (403, {"message": "rules"}),
        "/credit.csv": (200, CSV),
    }
    yield said
    server.shutdown()
    server.server_close()


@pytest.fixture
def point(own, repository):
    """Point a project at a data set of the repository."""

    def change(dataset, **settings):
        dataset = dataset.replace("SERVER", repository.address)
        data = {
            "source": "open_data",
            "path": "",
            "dataset": dataset,
            "server": repository.address,
            "attempts": 2,
        }
        return edit(own, data=data | settings)

    return change


def source(project):
    provenance = json.loads((project.raw / "provenance.json").read_text(encoding="utf-8"))
    return provenance["sources"][0]


SETS = {
    "openml:31": ("Public", "Hofmann (1994)"),
    "openml:credit-g": ("Public", "Hofmann (1994)"),
    "uci:53": (
        "CC BY 4.0",
        f"{FISHER}. Iris. UCI Machine Learning Repository. https://doi.org/10.24432/C56C76",
    ),
    "kaggle:ann/credit": ("CC0-1.0", "Ann. Credit. Kaggle. SERVER/datasets/ann/credit"),
    "kaggle:competitions/titanic": (
        "the rules of the competition",
        "titanic. Kaggle. SERVER/competitions/titanic",
    ),
    "SERVER/credit.csv": ("ODbL", "The City"),
}


@pytest.mark.parametrize("dataset", SETS)
def test_a_data_set_is_had_once_with_its_licence(point, repository, dataset):
    project = point(dataset, licence="ODbL", citation="The City")
    collect_rows(project)
    pd.testing.assert_frame_equal(read_raw(project), ROWS)
    licence, citation = SETS[dataset]
    assert source(project)["licence"] == licence
    assert source(project)["citation"] == citation.replace("SERVER", repository.address)
    asked = len(repository.asked)
    repository.answers = {}
    assert collect_rows(project).startswith("3 rows and 3 columns from ")
    assert len(repository.asked) == asked, "a second run needs no network"
    said = run_in(project.root, "collect", "--force")
    assert said.exit_code == 2
    pd.testing.assert_frame_equal(read_raw(project), ROWS)


def test_a_file_must_have_its_checksum(point, repository):
    digest = hashlib.sha256(CSV).hexdigest()
    project = point("SERVER/credit.csv", sha256=digest)
    collect_rows(project)
    assert source(project)["sha256"] == digest
    with pytest.raises(UserError, match=rf"has the SHA-256 {digest}, but \[data\] sha256 is 0000"):
        collect_rows(point("SERVER/credit.csv", sha256="0" * 64))


def test_one_of_several_files_is_named(point):
    with pytest.raises(UserError, match=r"has the files a\.csv, in/b\.csv; name one of them"):
        collect_rows(point("kaggle:ann/many"))
    project = point("kaggle:ann/many", file="in/b.csv")
    collect_rows(project)
    pd.testing.assert_frame_equal(read_raw(project), ROWS)


def test_kaggle_is_told_who_asks_and_nobody_else(point, repository, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", KEY)
    project = point("kaggle:ann/credit")
    repository.answers["/api/v1/datasets/view/ann/credit"][1]["licenseName"] = f"CC0 for {KEY}"
    said = run_in(project.root, "collect").output
    assert {who for _, who in repository.asked} == {f"Bearer {KEY}"}
    assert source(project)["licence"].startswith("CC0 for *")
    repository.answers["/api/v1/datasets/view/ann/credit"] = (401, {})
    said += run_in(project.root, "collect", "--force").output
    assert "refuses to answer (401 Unauthorized): accept the rules or the licence at" in said
    assert KEY not in said
    written = [f.read_bytes() for f in project.root.rglob("*") if f.is_file()]
    assert not [content for content in written if KEY.encode() in content]


def test_a_preview_writes_nothing(point):
    project = point("uci:53")
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    shown = run_in(project.root, "collect", "--preview").output
    assert "3 rows and 3 columns; nothing was written" in shown
    assert {path: path.stat().st_mtime_ns for path in project.root.rglob("*")} == before


BAD = [
    ("openml:7", r'There is no data set "7" at http.*; look there'),
    ("openml:nothing", r'There is no data set "nothing"'),
    ("uci:7", r'There is no data set "7"'),
    ("uci:54", r'"uci:54" has no table that can be imported'),
    ("kaggle:ann/nothing", r'There is no data set "ann/nothing"'),
    ("kaggle:competitions/closed", r"\(403 Forbidden\): accept the rules or .*/closed, and"),
    ("SERVER/none.csv", r"none\.csv does not exist \(404 Not Found\)"),
    ("http://127.0.0.1:1/x.csv", r"x\.csv does not answer \(.*refused"),
    ("https://me:pw@host.invalid/x.csv", r"dataset holds a password; put the URL into an env"),
    ("https://host.invalid/x.csv?Signature=pw", r'dataset holds a secret, "Signature"; put'),
    ("env:NOBODYS_URL", r"NOBODYS_URL, which \[data\] dataset names, is not set"),
    ("credit-g", r'dataset is "credit-g"; allowed: "openml:31"'),
    ("", r'dataset is ""; allowed'),
]


@pytest.mark.parametrize(("dataset", "sentence"), BAD)
def test_a_mistake_gets_one_sentence(point, dataset, sentence):
    with pytest.raises(UserError, match=sentence):
        collect_rows(point(dataset))
