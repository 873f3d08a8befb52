"""The documentation is true where a machine can tell."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from combinations import QUESTIONS
from conftest import REPOSITORY, Renders

DOCS = REPOSITORY / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])
PACKAGE = REPOSITORY / "template" / "src" / "{{ cookiecutter.package_name }}"
LINK = re.compile(r"\]\(([^)\s]+)\)")
ROW = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.MULTILINE)


def parse(path: Path) -> ast.Module:
    """Parse a module as a project gets it; Jinja in an import would stop Python."""
    text = path.read_text(encoding="utf-8")
    return ast.parse(text.replace("{{ cookiecutter.", "").replace(" }}", ""))


def sections(page: Path) -> dict[str, str]:
    """Return the text below each heading that is code, like ``## `run` ``."""
    text = page.read_text(encoding="utf-8")
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    found = (re.match(r"`(.*)`\n", part) for part in parts)
    return {m.group(1): m.string[m.end() :] for m in found if m}


def commands() -> dict[str, set[str]]:
    """Return the options of each command, as cli.py declares them."""
    nodes = ast.walk(parse(PACKAGE / "cli.py"))  # one command stands inside of an if
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    found = {}
    for function in functions:
        said = [ast.unparse(decorator) for decorator in function.decorator_list]
        if "main.command()" in said:
            options = set(re.findall(r"--\w+", " ".join(said)))
            found[function.name] = options | ({"--force"} if "force_option" in said else set())
    return found


def classes(*modules: str) -> dict[str, dict[str, ast.expr | None]]:
    """Return the fields of each class and what their defaults are; base classes come first."""
    found: dict[str, dict[str, ast.expr | None]] = {}
    for module in modules:
        for part in parse(PACKAGE / "problem" / module).body:
            if isinstance(part, ast.ClassDef):
                fields = found.setdefault(part.name, {})
                for base in map(ast.unparse, part.bases):
                    fields |= found.get(base, {}) | fields
                for line in part.body:
                    if isinstance(line, ast.AnnAssign):
                        fields.setdefault(ast.unparse(line.target), line.value)
    return found


def tables() -> dict[str, dict[str, str]]:
    """Return what holds without each key of project.toml, by the models in the project's code."""
    types = (f"{name}.py" for name in QUESTIONS["problem_type"])
    sources = (f"sources/{name}.py" for name in QUESTIONS["data_source"])
    families = ("tables/rows.py", "tables/series.py", "supervised.py", "unsupervised.py")
    known = classes("settings.py", *sources, *families, *types, "definition.py")
    attributes = next(
        part.body
        for part in parse(PACKAGE / "problem" / "definition.py").body
        if isinstance(part, ast.ClassDef) and part.name == "Definition"
    )
    models = {
        ast.unparse(line.target): ast.unparse(line.annotation)
        for line in attributes
        if isinstance(line, ast.AnnAssign)
    }
    return {
        table: {key: without(value) for key, value in known[model].items()}
        for table, model in models.items()
    }


def without(value: ast.expr | None) -> str:
    """Say what holds without a key, as the reference writes it."""
    if isinstance(value, ast.Call):  # Field(default=..., ...)
        value = next((k.value for k in value.keywords if k.arg == "default"), None)
    return "required" if value is None else f"`{json.dumps(ast.literal_eval(value))}`"


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


def test_the_reference_has_every_command_with_its_options() -> None:
    said = {
        name: set(re.findall(r"--\w+", " ".join(re.findall(r"^    .*", text, re.MULTILINE))))
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


def test_the_reference_has_every_question() -> None:
    page = (REFERENCE / "questions.md").read_text(encoding="utf-8")
    said = {name: cells.split(" | ") for name, cells in ROW.findall(page)}
    asked = {name: value for name, value in QUESTIONS.items() if not name.startswith("_")}
    assert list(said) == list(asked)
    for name, value in asked.items():
        if isinstance(value, list):
            assert said[name] == [", ".join(f"`{choice}`" for choice in value), f"`{value[0]}`"]


def test_the_tutorials_data_is_what_the_tutorial_shows(tmp_path: Path) -> None:
    script = DOCS / "examples" / "customers.py"
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True)
    shown = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    header, first, *_ = (tmp_path / "customers.csv").read_text(encoding="utf-8").splitlines()
    assert f"    {header}\n    {first}\n" in shown
