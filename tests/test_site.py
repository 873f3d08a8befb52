"""The documentation as a site, in a real browser."""

import functools
import http.server
import importlib
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pictures
import pytest
import yaml
from combinations import CHOICES
from conftest import REPOSITORY, Template, git
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

DOCS = REPOSITORY / "docs"
PAGES = sorted(page.relative_to(DOCS) for page in DOCS.rglob("*.md"))
URLS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
PACKAGE = re.compile(r"^## `([\w.]+)`\n\n.*\n\n(.*)$", re.MULTILINE)
PHONE, WIDE = 390, 1280

slow = pytest.mark.slow
browsed = pytest.mark.skipif(not shutil.which("chromedriver"), reason="needs chromedriver")


def packages() -> dict[str, list[str]]:
    """Return the names that the page on the library lists, by package."""
    text = (DOCS / "reference" / "library.md").read_text(encoding="utf-8")
    return {package: re.findall(r"`(\w+)`", names) for package, names in PACKAGE.findall(text)}


def test_the_page_on_the_library_names_what_is_public() -> None:
    for package, names in packages().items():
        module = importlib.import_module(package)
        assert names == list(getattr(module, "__all__", names)), package
        assert all(hasattr(module, name) for name in names), package
    steps = [name for name in packages() if name.count(".") == 1]
    assert {path.parent.name for path in library("*/__init__.py")} <= {n[8:] for n in steps}


def library(pattern: str) -> list[Path]:
    return list((REPOSITORY / "template" / "vendor" / "mlsteps").glob(pattern))


def test_one_setting_says_where_the_template_is() -> None:
    owner = URLS["Repository"].removeprefix("https://github.com/")
    for page in [REPOSITORY / "README.md", *(DOCS / page for page in PAGES)]:
        for found in re.findall(r"\bgh:([\w/-]+)", page.read_text(encoding="utf-8")):
            assert found == owner, page


def test_the_workflow_publishes_what_is_built_and_every_action_is_pinned() -> None:
    text = (REPOSITORY / ".github" / "workflows" / "docs.yml").read_text(encoding="utf-8")
    build, publish = yaml.safe_load(text)["jobs"].values()
    assert any("docs/build.py --versions" in step.get("run", "") for step in build["steps"])
    assert publish["needs"] == "build"
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    used = re.findall(r"uses: (\S+)", text)
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)


def test_every_picture_is_made_by_the_command_is_shown_and_is_small() -> None:
    made = {f"{name}-{what}.png" for name in CHOICES["problem_type"] for what in ("report", "page")}
    images = {path.name: path.stat().st_size for path in (DOCS / "images").iterdir()}
    assert set(images) == made | {"loop.png"}
    assert max(images.values()) < 150_000
    assert sum(images.values()) < 1_500_000
    pages = [(DOCS / page).read_text(encoding="utf-8") for page in PAGES]
    assert set(images) == set(re.findall(r"images/([\w-]+\.png)", " ".join(pages)))


def test_the_gallery_shows_the_files_that_a_project_has() -> None:
    written = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert pictures.gallery() == written, "write it anew: uv run docs/pictures.py tree"


@pytest.fixture(scope="module")
def site(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with the pages of one release, as the workflow builds it."""
    clone = tmp_path_factory.mktemp("site") / "clone"
    git(clone.parent, "clone", "--quiet", str(template.path), str(clone))
    command = [sys.executable, "docs/build.py", "--versions"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return clone / "site"


@slow
def test_the_site_has_every_page_of_each_version_in_its_navigation(site: Path) -> None:
    for folder in (site, site / "1.0.0"):
        index = (folder / "index.html").read_text(encoding="utf-8")
        linked = re.findall(r'<a class="reference internal" href="([^"#]+)"', index)
        built = {path.relative_to(folder).with_suffix(".md") for path in folder.rglob("*.html")}
        assert set(PAGES) <= built
        assert {f"{page.with_suffix('')}.html" for page in PAGES} <= {*linked, "README.html"}


@slow
def test_the_site_shows_the_library_from_its_docstrings(site: Path) -> None:
    text = (site / "reference" / "library.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'<dt class="[^"]*" id="mlsteps[\w.]*?\.(\w+)"', text))
    wanted = {name for names in packages().values() for name in names if name != "__version__"}
    assert wanted <= shown


@slow
def test_links_that_leave_the_documentation_lead_into_the_repository(site: Path) -> None:
    pattern = re.compile(re.escape(URLS["Repository"]) + r"/(?:blob|tree)/main/([^\"#]+)\"")
    pages = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    found = {name for page in pages for name in pattern.findall(page)}
    assert "CONTRIBUTING.md" in found
    for name in found:
        assert (REPOSITORY / name).exists(), name


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site."""
    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def browser() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as driver:
        yield driver


def look(browser: WebDriver, address: str, width: int) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(address)


@slow
@browsed
def test_a_phone_shows_every_page_without_scrolling_sideways(browser, address: str) -> None:
    wide = []
    for page in PAGES:
        look(browser, f"{address}/{page.with_suffix('')}.html", PHONE)
        if browser.execute_script("return document.documentElement.scrollWidth") > PHONE:
            wide.append(page)
    assert wide == []


@slow
@browsed
def test_a_search_finds_a_page(browser, address: str) -> None:
    look(browser, f"{address}/search.html?q=crontab", WIDE)
    results = "#search-results li a"
    WebDriverWait(browser, 20).until(lambda b: b.find_elements(By.CSS_SELECTOR, results))
    found = {link.text for link in browser.find_elements(By.CSS_SELECTOR, results)}
    assert "Let a project improve itself" in found


@slow
@browsed
def test_the_site_is_dark_for_those_who_prefer_it(browser, address: str) -> None:
    def brightness(scheme: str) -> int:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        look(browser, f"{address}/index.html", WIDE)
        colour = "return getComputedStyle(document.body).backgroundColor"
        return sum(map(int, re.findall(r"\d+", browser.execute_script(colour))[:3]))

    assert brightness("light") > 3 * 200
    assert brightness("dark") < 3 * 60
