"""Records of an API are collected page by page, from a server that misbehaves as real ones do."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pandas as pd
import pytest
from mlsteps.collection import read_raw, web
from mlsteps.errors import UserError
from project import collect_rows, edit, run_in

SECRET = "s3cr3t-token"  # noqa: S105 - looked for in all that a project writes
SIZE = 10


class Api:
    """What the server has and does; a test changes it."""

    def __init__(self):
        self.records = [
            {"id": n, "at": f"2026-01-{n // 2 + 1:02}T10:00:00Z", "who": {"name": f"ö{n}"}}
            for n in range(25)
        ]
        self.asked = []  # parameters and headers of each request
        self.troubles = {}  # by the number of a request: what happens instead of the answer
        self.address = ""

    def answer(self, url, headers):
        """Return status, headers and body."""
        given = dict(parse_qsl(url.query))
        self.asked.append((given, headers))
        records = [r for r in self.records if r["at"] >= given.get("since", "")]
        before = SIZE * (int(given.get("page", 1)) - 1)
        start = int(given.get("offset", given.get("after", 0)) or before)
        page, following = records[start : start + SIZE], start + SIZE
        more = following < len(records)
        link = f"{url.path}?offset={following}&since={given.get('since', '')}"
        body = {"data": {"items": page}, "meta": {"next": following if more else None}}
        body["link"] = link if more else None
        if url.path == "/list":
            return 200, {"Link": f'<{link}>; rel="next"'} if more else {}, json.dumps(page)
        return 200, {}, json.dumps(body)


@pytest.fixture
def api():
    """The API, at a server of its own."""
    said = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            trouble = said.troubles.get(len(said.asked))
            url = urlsplit(self.path)
            status, headers, body = said.answer(url, dict(self.headers))
            if trouble == "silent":
                time.sleep(0.5)
                return
            if trouble == "cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode()[:20])
                return
            if trouble:
                status, headers, body = trouble
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01]).start()
    said.address = f"http://127.0.0.1:{server.server_port}"
    yield said
    server.shutdown()
    server.server_close()


@pytest.fixture
def point(own, api, monkeypatch):
    """Point a project at the API, with some settings changed."""
    monkeypatch.setattr(web, "FIRST_WAIT", 0.001)
    monkeypatch.setenv("API_TOKEN", SECRET)

    def change(**settings):
        settings = {"url": f"{api.address}/things", "records": "data.items", **settings}
        return edit(
            own, data={"source": "api", "path": "", "requests_per_second": 1000, **settings}
        )

    return change


def ids(project):
    return read_raw(project)["id"].tolist()


ELSEWHERE = json.dumps({"data": {"items": []}, "link": "http://elsewhere.invalid/"})
PAGING = {
    "link": {"paging": "link", "next": "link"},
    "cursor": {"paging": "cursor", "next": "meta.next", "page_parameter": "after"},
    "page": {"paging": "page"},
    "offset": {"paging": "offset", "page_parameter": "offset"},
}
paged = pytest.mark.parametrize("paging", PAGING.values(), ids=PAGING)


@paged
def test_all_pages_are_read(point, paging):
    project = point(**paging)
    assert collect_rows(project).startswith("25 rows and 3 columns from http://127.0.0.1:")
    assert ids(project) == list(range(25))
    assert read_raw(project)["who.name"].tolist() == [f"ö{n}" for n in range(25)]


def test_a_link_in_the_header_leads_to_the_next_page(point, api):
    project = point(url=f"{api.address}/list", records="", paging="link")
    collect_rows(project)
    assert ids(project) == list(range(25))


def test_records_of_other_shapes_become_columns(point, api):
    api.records = [{"id": 1, "at": "", "tags": ["a", "b"], "more": 1}, {"id": 2.5, "at": None}]
    api.records[1]["at"] = "z"
    project = point()
    collect_rows(project)
    assert read_raw(project)["id"].tolist() == [1, 2.5]
    assert read_raw(project)["tags"].tolist()[:1] == ['["a", "b"]']
    assert read_raw(project)["more"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ("bearer", "Authorization", f"Bearer {SECRET}"),
        ("basic", "Authorization", f"Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}"),
        ("header", "X-API-Key", SECRET),
    ],
)
def test_it_says_who_it_is_and_tells_nobody_else(point, api, monkeypatch, auth, name, value):
    if auth == "basic":
        monkeypatch.setenv("API_TOKEN", f"me:{SECRET}")
    project = point(auth=auth, parameters={"key": "env:API_TOKEN"}, **PAGING["link"])
    said = run_in(project.root, "collect").output
    assert all(headers[name] == value for _, headers in api.asked)
    assert all(SECRET in given["key"] for given, _ in api.asked)
    api.troubles = {3: (401, {}, "no")}
    said += run_in(project.root, "collect").output
    assert "refuses to answer (401 Unauthorized): what [data] secret names" in said
    assert SECRET not in said
    written = [f.read_bytes() for f in project.root.rglob("*") if f.is_file()]
    assert not [content for content in written if SECRET.encode() in content]


def test_a_server_that_stumbles_is_asked_again(point, api):
    api.troubles = {
        0: (429, {"Retry-After": "0.0"}, ""),
        1: (500, {}, ""),
        3: "cut",
        4: (503, {"Retry-After": "1"}, ""),
    }
    project = point(**PAGING["page"])
    collect_rows(project)
    assert ids(project) == list(range(25))


def test_only_records_that_are_new_are_asked_for(point, api):
    project = point(cursor="at", since_parameter="since", **PAGING["page"])
    collect_rows(project)
    api.records.append(dict(api.records[-1], id=25))
    api.records.append({"id": 26, "at": "2026-02-01T10:00:00Z", "who": {"name": "new"}})
    api.asked.clear()
    collect_rows(project)
    assert ids(project) == list(range(27))
    assert {given["since"] for given, _ in api.asked} == {"2026-01-13T10:00:00Z"}


def test_a_collection_that_fails_leaves_the_last_good_data(point, api):
    project = point(attempts=1, **PAGING["page"])
    api.troubles = {2: (500, {}, "")}
    with pytest.raises(UserError, match=r"is too busy \(500 Internal Server Error, 1 attempts\)"):
        collect_rows(project)
    assert len(read_raw(project)) > 25
    collect_rows(project)
    assert ids(project) == list(range(25))


def test_requests_keep_to_the_rate(point):
    project = point(requests_per_second=20, **PAGING["page"])
    before = pd.Timestamp.now()
    collect_rows(project)
    assert pd.Timestamp.now() - before > pd.Timedelta(seconds=3 / 20)


def test_a_preview_writes_nothing(point):
    project = point(**PAGING["page"])
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    shown = run_in(project.root, "collect", "--preview").output
    assert "25 rows and 3 columns; nothing was written" in shown
    assert {path: path.stat().st_mtime_ns for path in project.root.rglob("*")} == before


ANSWERS = [
    ((200, {}, "<html>hello"), r"gives no JSON, but '<html>hello'"),
    ((200, {}, '{"error": "no"}'), r'gives no list of objects at "data\.items"; .* keys error'),
    ((200, {}, '{"data": {"items": [1]}}'), r"gives no list of objects"),
    ((200, {}, '{"data": {"items": [{"a.b": 1, "a": {"b": 2}}]}}'), r'2 columns named "a\.b"'),
    ((403, {}, ""), r"refuses to answer \(403 Forbidden\): it wants credentials, so set"),
    ((404, {}, ""), r"does not exist \(404 Not Found\)"),
    ((429, {"Retry-After": "9000"}, ""), r"is too busy \(429 Too Many Requests"),
    ((302, {"Location": "http://elsewhere.invalid/"}, ""), r"has moved \(302 Found\); correct"),
]


@pytest.mark.parametrize(("answer", "sentence"), ANSWERS)
def test_an_answer_of_no_use_gets_one_sentence(point, api, answer, sentence):
    api.troubles = {0: answer}
    with pytest.raises(UserError, match=sentence):
        collect_rows(point(attempts=1 if answer[0] == 429 and not answer[1] else 5))


WORDS = "ann:s3cr3t/p&ss"
WAYS = {
    "as it is": WORDS,
    "the password alone": "s3cr3t/p&ss",
    "percent-encoded": "ann%3As3cr3t%2fp%26ss",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("sent", [{"auth": "basic"}, {"parameters": {"key": "env:API_TOKEN"}}])
def test_a_secret_that_the_server_repeats_is_masked(point, api, monkeypatch, way, sent):
    monkeypatch.setenv("API_TOKEN", WORDS)
    project = point(**sent)
    api.troubles = {
        0: (200, {"Content-Type": f"text/{way}"}, f"for {'-' * 24}{way}!"),
        1: (200, {}, json.dumps({way: 1})),
    }
    for _ in range(2):
        said = run_in(project.root, "collect").output
        assert "***" in said
        assert not [part for part in (way, way[:8], "s3cr3t") if part in said]


def test_a_secret_that_no_header_can_hold_is_not_repeated(point, monkeypatch):
    monkeypatch.setenv("API_TOKEN", f"{SECRET}\n{SECRET}")
    said = run_in(point(auth="bearer").root, "collect").output
    assert "[data] secret names env:API_TOKEN, which no header can hold" in said
    assert SECRET not in said


def test_a_server_that_does_not_answer_is_not_waited_for(point, api):
    api.troubles = {0: "silent"}
    with pytest.raises(
        UserError, match=r"does not answer \(timed out\); .* or raise timeout_seconds"
    ):
        collect_rows(point(attempts=1, timeout_seconds=0.1))


def test_a_link_to_another_server_is_refused(point, api):
    api.troubles = {0: (200, {}, ELSEWHERE)}
    with pytest.raises(UserError, match=r"leads to another server, http://elsewhere\.invalid;"):
        collect_rows(point(**PAGING["link"]))


def test_a_link_to_the_same_server_without_encryption_is_refused(point, api, monkeypatch):
    """What listens there, or on the way, would read the token."""
    asked = []

    def answer(request):
        asked.append(request.url)
        return httpx2.Response(
            200, json={"data": {"items": [{"id": 1}]}, "link": "http://h.test/2"}
        )

    client, transport = httpx2.Client, httpx2.MockTransport(answer)
    monkeypatch.setattr(web.httpx2, "Client", lambda **o: client(transport=transport, **o))
    with pytest.raises(UserError, match=r"leads to another server, http://h\.test;"):
        collect_rows(point(url="https://h.test/1", auth="bearer", **PAGING["link"]))
    assert [url.scheme for url in asked] == ["https"]


def test_a_response_without_end_is_refused(point, api, monkeypatch):
    monkeypatch.setattr(web, "MOST_BYTES", 1_000_000)
    api.troubles = {0: (200, {}, json.dumps({"data": {"items": [{"id": "x" * 2_000_000}]}}))}
    with pytest.raises(UserError, match="answers with more than 1 MB; ask for less at a time"):
        collect_rows(point())


def test_a_page_that_repeats_is_refused(point, api):
    api.troubles = {1: (200, {}, json.dumps({"data": {"items": api.records[:SIZE]}}))}
    with pytest.raises(UserError, match="gives the same page twice"):
        collect_rows(point(**PAGING["page"]))


MISTAKES = [
    ({"url": ""}, r"rows come from the API: set url"),
    ({"url": "example.org/x"}, r"example\.org/x is not the address of a server"),
    ({"url": "http://127.0.0.1:port/x"}, r":port/x is not the address of a server; one looks like"),
    ({"paging": "link", "next": "data"}, r'next is "data", where the response has no address'),
    ({"url": "http://127.0.0.1:1/x"}, r"http://127\.0\.0\.1:1/x does not answer \(.*refused"),
    ({"url": "http://me:pw@127.0.0.1/x"}, r"\[data\] url holds a password"),
    ({"url": "http://host.invalid/x?api_key=pw"}, r'url holds a secret, "api_key"; put it into an'),
    ({"parameters": {"api-key": "pw"}}, r"parameters api-key holds the secret itself; put it"),
    ({"path": "https://host.invalid/x.csv?token=pw"}, r'path holds a secret, "token"; put the URL'),
    ({"auth": "bearer", "secret": "env:NOBODYS"}, r"NOBODYS, which \[data\] secret names, is not"),
    ({"secret": "abc"}, r"\[data\] secret holds the secret itself"),
    ({"parameters": {"key": "env:NOBODYS"}}, r"which \[data\] parameters key names, is not set"),
    ({"paging": "cursor"}, r"next must say where"),
    ({"cursor": "at"}, r"cursor and since_parameter go together"),
]


@pytest.mark.parametrize(("settings", "sentence"), MISTAKES)
def test_a_mistake_gets_one_sentence(point, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        collect_rows(point(attempts=1, **settings))
