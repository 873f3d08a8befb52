"""The documentation is true where a machine can tell."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import compatibility
import mlsteps
import pytest
import workers
import write_reference
from blocks import blocks
from combinations import CHOICES, QUESTIONS
from conftest import REPOSITORY, Renders
from in_memory import Renderer
from mlsteps.problem.definition import definition_model

DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])
PACKAGE = REPOSITORY / "template" / "src" / "{{ cookiecutter.package_name }}"
OWNED = re.compile(r"`src/(?:churn|<package>)/([\w/]+\.py)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def known_keys() -> dict[str, set[str]]:
    """Return the keys of each table of project.toml, of all problem types and sources."""
    found: dict[str, set[str]] = {}
    for problem_type in QUESTIONS["problem_type"]:
        for source in QUESTIONS["data_source"]:
            for table, field in definition_model(problem_type, source).model_fields.items():
                found.setdefault(table, set()).update(field.annotation.model_fields)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if not re.match(r"https?:|#", link):
            assert (page.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_file_of_a_project_that_is_named_exists(page: Path) -> None:
    for name in OWNED.findall(page.read_text(encoding="utf-8")):
        assert (PACKAGE / name).is_file(), name


def test_every_page_is_reached_from_the_index() -> None:
    reached = {(DOCS / "README.md").resolve()}
    while True:
        linked = {
            (page.parent / link).resolve()
            for page in reached
            for link in LINK.findall(page.read_text(encoding="utf-8"))
            if link.endswith(".md") and "://" not in link
        }
        if linked <= reached:
            break
        reached |= linked
    assert {page.resolve() for page in DOCS.rglob("*.md")} <= reached


def test_the_table_of_what_was_tested_tells_what_a_run_has_done() -> None:
    written = compatibility.PAGE.read_text(encoding="utf-8")
    flask = " ".join("flask" if "flask" in choices else choices[0] for choices in CHOICES.values())
    told = compatibility.page({("run", flask)}, "tests/test_some.py --table")
    assert "pytest tests/test_some.py --table" in told
    assert "| classification | flask | 0 | 0 | 1 | 0 |" in told
    assert told.count("| 0 | 0 | 0 | 0 |") == told.count("\n| ") - 2
    kinds = re.compile(r"^\| \w+ \| \w+ \|", re.MULTILINE)
    assert kinds.findall(written) == kinds.findall(told), "write it anew: uv run pytest --table"


def test_the_reference_is_that_of_the_code() -> None:
    for page, text in write_reference.pages().items():
        written = page.read_text(encoding="utf-8")
        assert written == text, "write it anew: uv run docs/write_reference.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_setting_that_a_page_shows_is_one(page: Path) -> None:
    known = known_keys()
    for block in blocks(page):
        if block.language == "toml":
            for table, keys in tomllib.loads(block.text).items():
                assert set(keys) <= known[table], block


def test_the_crontabs_of_the_pages_call_commands() -> None:
    called = set()
    for page in PAGES:
        for block in blocks(page):
            lines = re.findall(r"^[\d*]+ [\d*]+ .*", block.text, re.MULTILINE)
            called |= set(re.findall(r"\bchurn (\w+)", " ".join(lines)))
    assert {"improve", "monitor", "predict"} <= called <= set(write_reference.commands())


def test_the_tutorials_data_is_what_the_tutorial_shows(tmp_path: Path) -> None:
    script = DOCS / "examples" / "customers.py"
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True)
    shown = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    header, first, *_ = (tmp_path / "customers.csv").read_text(encoding="utf-8").splitlines()
    assert f"\n{header}\n{first}\n" in shown


def test_the_documentation_that_a_project_links_to_is_that_of_its_version(render: Renders) -> None:
    project = render()
    assert "(vendor/mlsteps/README.md#documentation)" in (project / "README.md").read_text("utf-8")
    library = (project / "vendor" / "mlsteps" / "README.md").read_text(encoding="utf-8")
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    site = f"{declared['project']['urls']['Documentation']}/{mlsteps.__version__}/"
    links = [link for link in LINK.findall(library) if "://" in link]
    assert links
    for link in links:
        assert link.startswith(site), link
        assert (DOCS / link.removeprefix(site)).with_suffix(".md").is_file(), link


def test_the_page_about_more_machines_shows_what_the_benchmarks_measured() -> None:
    page = (DOCS / "explanation" / "one-machine.md").read_text(encoding="utf-8")
    measured = (REPOSITORY / "benchmarks" / "README.md").read_text(encoding="utf-8")
    reached = {
        name: next(line for line in measured.splitlines() if f"/{name}.py`" in line)
        for name in ("many_series", "score", "sql", "workers")
    }
    for name, figure in (
        ("many_series", "215 s"),
        ("score", "533 MB"),
        ("score", "1.19"),
        ("sql", "0.30 GB"),
        ("workers", "74 times"),
        ("workers", "61"),
    ):
        assert figure in reached[name]
        assert figure in page
    found = re.search(
        r"a fit ([\d.]+) s, a file ([\d.]+) s, a task handed over (\d+) ms, a row logged (\d+) µs",
        reached["workers"],
    )
    assert found
    for figure, unit in zip(found.groups(), ("s", "s", "ms", "µs"), strict=True):
        assert f"| {figure} {unit} |" in page
    fit, file, hand_over, row = map(float, found.groups())
    for name, case in workers.cases(fit, file, hand_over / 1e3, row / 1e6).items():
        (shown,) = re.findall(rf"^\| {name} \| ([\d.]+) hours \| (.+) \|$", page, re.MULTILINE)
        assert f"{name}: {shown[1].replace(' | ', ', ')}" in reached["workers"]
        *figures, busy = [shown[0], *shown[1].split(" | ")]
        tasks, seconds, turn = case
        alone = tasks * (seconds + turn)
        times = [alone / workers.simulate(*case, number) for number in workers.WORKERS]
        assert [*map(float, figures)] == pytest.approx([alone / 3600, *times], rel=0.03)
        assert int(busy) == round(1 + seconds / turn)


def test_the_readme_of_every_project_is_short() -> None:
    longest = max(
        len(project["README.md"].splitlines()) for _, project in Renderer().every_project()
    )
    assert longest <= 125
