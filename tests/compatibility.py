"""What a run of the tests has rendered, run and updated, as a table of the documentation.

`uv run pytest --table` writes it, if all tests of the run pass. It tells of this run alone.
"""

import platform
import shlex
from collections import Counter
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
Deed = tuple[str, str]  # what was done, and the answers of the project
DEEDS: set[Deed] = set()  # of the test that runs
DONE_BY_ALL: set[Deed] = set()

SAID = """# What was tested with which versions

How many projects with different answers were rendered, run from the data to a promoted model, and
updated to a newer release, to other answers or to both, by the problem type and the way of serving.
With {versions}, on {day}, these tests passed and wrote this page:

```none
pytest {command}
```

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
        command = shlex.join(session.config.invocation_params.args)
        PAGE.write_text(page(DONE_BY_ALL, command), encoding="utf-8")


def page(deeds: set[Deed], command: str) -> str:
    """Return the page about what a run of tests has done."""
    counts: Counter[tuple[str, ...]] = Counter()
    for what, given in deeds:
        words = dict(zip(CHOICES, given.split(), strict=True))
        counts[what, words["problem_type"], words["serving"]] += 1
    rows = [
        f"| {' | '.join([*kind, *(str(counts[what, *kind]) for what in DONE)])} |"
        for kind in product(CHOICES["problem_type"], CHOICES["serving"])
    ]
    return SAID.format(
        versions=versions(),
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        command=command,
        done=" | ".join(DONE),
        rules="|".join(["---"] * len(DONE)),
        rows="\n".join(rows),
    )


def versions() -> str:
    """Name the engines, with what they ran on."""
    engines = ", ".join(f"{name} {version(name)}" for name in ENGINES)
    return f"{engines} and Python {platform.python_version()} on {platform.system()}"
