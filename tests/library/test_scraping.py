"""Pages become rows, politely, and a site that has changed is an error."""

import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from mlsteps.collection import read_raw, web
from mlsteps.errors import UserError
from project import collect_rows, edit, run_in

BOOK = '<li class="book"><h2> Book <b>{0}</b></h2><a href="/b/{0}">£</a><i>{1}</i></li>'
FIELDS = {"name": "h2", "link": "a::attr(href)", "price": "i::text"}


class Site:
    """What the site has, and who asked for what and when."""

    def __init__(self):
        self.pages = {f"/{n}": self.page(n) for n in range(3)}
        self.pages["/table"] = (
            "<table id=t><tr><th>City</th><th>People</th></tr>"
            "<tr><td>Köln</td><td>1,087,000</td></tr>"
            "<tr><td>Bern </td><td>134,794</td></tr><tr></tr></table>"
        )
        self.asked = []
        self.moved = {}
        self.address = ""

    @staticmethod
    def page(number):
        books = "".join(BOOK.format(10 * number + k, f"{k}.50") for k in range(10))
        link = f'<a class="next" href="{number + 1}">on</a>' if number < 2 else ""
        return f"<html><ul>{books}</ul>{link}</html>"


@pytest.fixture
def site():
    """The site, at a server of its own."""
    said = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            said.asked.append((self.path, self.headers["User-Agent"], time.monotonic()))
            body = said.pages.get(self.path)
            self.send_response(302 if self.path in said.moved else 404 if body is None else 200)
            if self.path in said.moved:
                self.send_header("Location", said.moved[self.path])
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01]).start()
    said.address = f"http://127.0.0.1:{server.server_port}"
    yield said
    server.shutdown()
    server.server_close()


@pytest.fixture
def point(own, site, monkeypatch):
    """Point a project at the site, with some settings changed."""
    monkeypatch.setattr(web, "FIRST_WAIT", 0.001)

    def change(**settings):
        data = {"url": f"{site.address}/0", "rows": "li.book", "fields": FIELDS, "next": "a.next"}
        data |= {
            "source": "scraping",
            "path": "",
            "contact": "me@example.org",
            "delay_seconds": 0,
            "attempts": 2,
        }
        return edit(own, data=data | settings)

    return change


def pages(site):
    return [path for path, *_ in site.asked if path != "/robots.txt"]


def test_pages_become_rows(point):
    project = point()
    assert collect_rows(project).startswith("30 rows and 3 columns from http://127.0.0.1:")
    rows = read_raw(project)
    assert rows["name"].tolist() == [f"Book {n}" for n in range(30)]
    assert rows["link"].tolist() == [f"/b/{n}" for n in range(30)]
    assert rows["price"].tolist() == [n % 10 + 0.5 for n in range(30)]


def test_a_table_of_html_becomes_rows(point, site):
    project = point(url=f"{site.address}/table", table="#t", rows="", fields={}, next="")
    collect_rows(project)
    assert read_raw(project).to_dict("list") == {
        "City": ["Köln", "Bern"],
        "People": [1_087_000, 134_794],
    }


def test_the_site_is_told_who_asks_and_is_not_hurried(point, site):
    site.pages["/robots.txt"] = "User-agent: *\nCrawl-delay: 0.2\nDisallow: /private"
    collect_rows(point(delay_seconds=0.05))
    assert {agent for _, agent, _ in site.asked} == {"ml-collector (+me@example.org)"}
    times = [at for *_, at in site.asked]
    assert len(times) == 4
    # The site notes when it has come to a request, which on a busy machine is a little later.
    assert min(later - earlier for earlier, later in pairwise(times[1:])) > 0.1


@pytest.mark.parametrize("agent", ["*", "ml-collector"])
def test_what_robots_txt_forbids_is_not_read(point, site, agent):
    site.pages["/robots.txt"] = f"User-agent: {agent}\nDisallow: /1"
    with pytest.raises(UserError, match=r"/1 must not be read by programs, says the site's robots"):
        collect_rows(point())
    assert "/1" not in pages(site)


def test_a_page_is_asked_for_once_a_day(point, site):
    project = point()
    collect_rows(project)
    collect_rows(project)
    assert pages(site) == ["/0", "/1", "/2"]
    for path in (project.raw / "cache").iterdir():
        os.utime(path, (0, 0))
    collect_rows(project)
    assert len(pages(site)) == 6
    assert run_in(project.root, "collect", "--force").exit_code == 0
    assert len(pages(site)) == 9


def test_after_a_failure_the_pages_that_came_are_not_asked_for_again(point, site):
    project = point()
    last = site.pages.pop("/2")
    with pytest.raises(UserError, match=r"/2 does not exist \(404 Not Found\)"):
        collect_rows(project)
    site.pages["/2"] = last
    collect_rows(project)
    assert pages(site) == ["/0", "/1", "/2", "/2"]
    assert read_raw(project)["name"].tolist() == [f"Book {n}" for n in range(30)]


def test_a_preview_writes_nothing(point):
    project = point()
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    assert "30 rows and 3 columns; nothing" in run_in(project.root, "collect", "--preview").output
    assert {path: path.stat().st_mtime_ns for path in project.root.rglob("*")} == before


CHANGES = [
    ("book", "volume", r'/1 has nothing that matches \[data\] rows "li\.book"'),
    (Site.page(1), "[1]", r"/1 has nothing that matches"),
    ("<i>", "<em>", r'/1 has nothing that matches \[data\] fields price "i::text"'),
    ('href="2"', 'href="1"', r"has more pages than \[data\] max_pages = 1000"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), CHANGES)
def test_a_site_that_has_changed_is_an_error(point, site, old, new, sentence):
    project = point()
    collect_rows(project)
    before = (project.raw / "data.parquet").read_bytes()
    site.pages["/1"] = site.pages["/1"].replace(old, new)
    with pytest.raises(UserError, match=sentence):
        collect_rows(project, anew=True)
    assert (project.raw / "data.parquet").read_bytes() == before


@pytest.mark.parametrize("way", ["link", "redirect"])
def test_another_server_is_not_asked(point, site, way):
    """It may be one that only this machine can reach, and its robots.txt was never asked for."""
    inside = site.address.replace("127.0.0.1", "127.0.0.2") + "/1"
    site.pages["/0"] = site.pages["/0"].replace('href="1"', f'href="{inside}"')
    if way == "redirect":
        site.moved["/0"] = inside
    with pytest.raises(
        UserError, match=r"leads to another server, http://127\.0\.0\.2; set \[data\]"
    ):
        collect_rows(point())


def test_a_field_may_be_optional(point, site):
    site.pages["/1"] = site.pages["/1"].replace("<i>", "<em>")
    project = point(optional=["price"])
    collect_rows(project)
    assert read_raw(project)["price"].isna().tolist() == [10 <= n < 20 for n in range(30)]


MISTAKES = [
    ({"url": ""}, r"rows come from pages: set url"),
    ({"url": "https://me:pw@host.invalid/x"}, r"url holds a password; read pages that need none"),
    ({"url": "example.org/x"}, r"^example\.org/x is not the address of a server"),
    ({"contact": ""}, r"contact is not set"),
    ({"contact": "mé@example.org"}, r"contact is .* should match pattern"),
    ({"rows": ""}, r"needs either table"),
    ({"table": "#t"}, r"needs either table"),
    ({"rows": "li["}, r'has "li\[", which is no CSS selector'),
    ({"optional": ["prise"]}, r'optional names "prise", which is not among fields'),
    ({"max_pages": 2}, r"has more pages than \[data\] max_pages = 2"),
    ({"url": "http://127.0.0.1:1/x"}, r"does not answer \(.*refused"),
    ({"table": "ul", "rows": "", "fields": {}}, r'no table with a header and rows .* "ul"'),
]


@pytest.mark.parametrize(("settings", "sentence"), MISTAKES)
def test_a_mistake_gets_one_sentence(point, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        collect_rows(point(**settings))
