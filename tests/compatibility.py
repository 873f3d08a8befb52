"""What a run of the tests has rendered, run and updated, as a table of the documentation.

`uv run pytest --table` writes it, if all tests of the run pass. Runs of some of the tests add up,
as long as the engines have the same versions.
"""

import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path

import pytest
import yaml
from combinations import CHOICES

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "compatibility.md"
ENGINES = ("cookiecutter", "copier")
DONE = ("rendered by cookiecutter", "rendered by copier", "run", "updated by copier")
ROW = re.compile(r"^\| (\w+) \| (\w+) \| (.*) \|$", re.MULTILINE)
Deed = tuple[str, str]  # what was done, and the answers of the project
DEEDS: set[Deed] = set()  # of the test that runs
DONE_BY_ALL: set[Deed] = set()

SAID = """# What was tested with which versions

How many projects with different answers the template's tests have started, run from the data to a
promoted model, and updated, by the problem type and the way of serving. `uv run pytest --table`
writes this page.

{versions}

| problem type | serving | {done} |
|---|---|{rules}|
{rows}

All combinations of answers are rendered in memory as well, and the engines are held against that:
see [how](../explanation/decisions/0041-every-combination-in-memory.md).
"""


def answers(project: Path) -> str:
    """Return what makes a project another one than those with other answers."""
    text = (project / ".copier-answers.yml").read_text(encoding="utf-8")
    given = yaml.safe_load(text)
    return " ".join(str(given[name]) for name in CHOICES)


def done(what: str, project: Path) -> None:
    """Remember what was done with a project."""
    DEEDS.add((what, answers(project)))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run write the page."""
    parser.addoption("--table", action="store_true", help=f"write {PAGE.name} of what is done")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Hand what a test has done to the process that began the run."""
    item.user_properties.append(("deeds", sorted(DEEDS)))
    DEEDS.clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect what the tests have done."""
    if report.when == "teardown":
        for name, deeds in report.user_properties:
            if name == "deeds" and isinstance(deeds, list):
                DONE_BY_ALL.update(map(tuple, deeds))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page, if it is asked for and nothing failed."""
    first = not hasattr(session.config, "workerinput")  # that all others report to
    if first and session.config.getoption("table") and not exitstatus:
        write(DONE_BY_ALL)


def versions() -> str:
    """Name the engines, with what they ran on."""
    engines = ", ".join(f"{name} {version(name)}" for name in ENGINES)
    return f"{engines}, Python {platform.python_version()} on {platform.system()}"


def write(deeds: set[Deed]) -> None:
    """Write the page, or add to it what has not been done before."""
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    known = cells(before) if versions() in before else {}
    names = list(CHOICES)
    at = [names.index(name) for name in ("problem_type", "serving")]
    rows = []
    for kind in product(CHOICES["problem_type"], CHOICES["serving"]):
        counts = dict.fromkeys(DONE, 0)
        for done, given in deeds:
            words = given.split()
            counts[done] += (words[at[0]], words[at[1]]) == kind
        old = known.get(kind, [0] * len(DONE))
        most = [str(max(pair)) for pair in zip(counts.values(), old, strict=True)]
        rows.append(f"| {' | '.join([*kind, *most])} |")
    PAGE.write_text(
        SAID.format(
            versions=f"With {versions()}, {datetime.now(UTC):%Y-%m-%d}.",
            done=" | ".join(DONE),
            rules="|".join(["---"] * len(DONE)),
            rows="\n".join(rows),
        ),
        encoding="utf-8",
    )


def cells(page: str) -> dict[tuple[str, str], list[int]]:
    """Return the counts of a page, by problem type and serving."""
    return {
        (kind, way): [int(n) for n in rest.split(" | ")] for kind, way, rest in ROW.findall(page)
    }
