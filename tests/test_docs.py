"""The documentation is true where a machine can tell."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import compatibility
import mlsteps
import pytest
import yaml
from blocks import blocks
from combinations import CHOICES, QUESTIONS
from conftest import REPOSITORY, Renders
from in_memory import Renderer
from mlsteps.cli import command_line
from mlsteps.problem.definition import definition_model
from pydantic.fields import FieldInfo

DOCS = REPOSITORY / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])
PACKAGE = REPOSITORY / "template" / "src" / "{{ cookiecutter.package_name }}"
OWNED = re.compile(r"`src/(?:churn|<package>)/([\w/]+\.py)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ROW = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.MULTILINE)


def sections(page: Path) -> dict[str, str]:
    """Return the text below each heading that is code, like ``## `run` ``."""
    text = page.read_text(encoding="utf-8")
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    found = (re.match(r"`(.*)`\n", part) for part in parts)
    return {m.group(1): m.string[m.end() :] for m in found if m}


def commands() -> dict[str, set[str]]:
    """Return the options of each command."""
    parts = ("steps", "metrics", "load_model", "policy", "score", "serve")
    main = command_line(**dict.fromkeys(parts, dict))
    return {
        name: {
            option for parameter in command.params for option in parameter.opts if "--" in option
        }
        for name, command in main.commands.items()
    }


def tables() -> dict[str, dict[str, str]]:
    """Return what holds without each key of project.toml, of all problem types and sources."""
    found: dict[str, dict[str, str]] = {}
    for problem_type in QUESTIONS["problem_type"]:
        for source in QUESTIONS["data_source"]:
            for table, field in definition_model(problem_type, source).model_fields.items():
                keys = found.setdefault(table, {})
                for key, value in field.annotation.model_fields.items():
                    keys.setdefault(key, without(value))
    return found


def without(field: FieldInfo) -> str:
    """Say what holds without a key, as the reference writes it."""
    return "required" if field.is_required() else f"`{json.dumps(field.get_default())}`"


def described() -> dict[str, dict[str, list[str]]]:
    """Return the cells of each key of project.toml in the reference."""
    return {
        table.strip("[]"): {key: cells.split(" | ") for key, cells in ROW.findall(text)}
        for table, text in sections(REFERENCE / "project-toml.md").items()
    }


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


def test_the_reference_has_every_command_with_its_options() -> None:
    said = {
        name: set(
            re.findall(
                r"--\w+", re.search(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
            )
        )
        for name, text in sections(REFERENCE / "commands.md").items()
    }
    assert said == commands()


def test_the_reference_has_every_key_of_project_toml() -> None:
    assert {t: set(keys) for t, keys in described().items()} == {
        t: set(keys) for t, keys in tables().items()
    }


def test_the_reference_says_what_holds_without_a_key() -> None:
    said = {t: {key: cells[1] for key, cells in keys.items()} for t, keys in described().items()}
    assert said == tables()


OF_ROWS = [kind for kind in QUESTIONS["problem_type"] if kind != "forecasting"]  # one table for all


@pytest.mark.parametrize("problem_type", OF_ROWS)
def test_the_reference_says_what_a_new_project_has(render: Renders, problem_type: str) -> None:
    place = OF_ROWS.index(problem_type)
    made = render(problem_type=problem_type) / "project.toml"
    for table, keys in tomllib.loads(made.read_text(encoding="utf-8")).items():
        for key, value in keys.items():
            said = described()[table][key][2].split(" / ")
            assert said[place if len(said) > 1 else 0] == f"`{json.dumps(value)}`", (
                f"[{table}] {key}"
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_setting_that_a_page_shows_is_one(page: Path) -> None:
    known = tables()
    for block in blocks(page):
        if block.language == "toml":
            for table, keys in tomllib.loads(block.text).items():
                assert set(keys) <= set(known[table]), block


def test_the_crontabs_of_the_pages_call_commands() -> None:
    called = set()
    for page in PAGES:
        for block in blocks(page):
            lines = re.findall(r"^[\d*]+ [\d*]+ .*", block.text, re.MULTILINE)
            called |= set(re.findall(r"\bchurn (\w+)", " ".join(lines)))
    assert {"improve", "monitor", "predict"} <= called <= set(commands())


def test_the_reference_has_every_question() -> None:
    page = (REFERENCE / "questions.md").read_text(encoding="utf-8")
    said = {name: cells.split(" | ") for name, cells in ROW.findall(page)}
    assert list(said) == list(QUESTIONS)
    config = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    for name in CHOICES:
        choices = config[name]["choices"].items()
        shown = ", ".join(f"`{value}`{label.removeprefix(value)}" for label, value in choices)
        assert said[name] == [shown, f"`{config[name]['default']}`"]


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


def test_the_readme_of_every_project_is_short() -> None:
    longest = max(
        len(project["README.md"].splitlines()) for _, project in Renderer().every_project()
    )
    assert longest <= 125
