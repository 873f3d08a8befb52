"""Whatever is answered gives a sound project: all combinations, rendered in memory.

Most files are alike in most projects; each text that a file can have is looked at once.
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import pytest
import yaml
from combinations import CHOICES, FEW, title
from conftest import REPOSITORY, Renders, files
from in_memory import Answers, Project, Renderer

# The lines of a Python file that rendering may change.
STEP_IMPORT = re.compile(r"from \.{{ cookiecutter\.\w+ }}\w* import ")
TEST_IMPORT = re.compile(r"\s*(from|import) {{ cookiecutter\.package_name }}")

# Modules of the library that not every project uses, and the answers that use them.
USED_BY = {
    "collection/api.py": {"api"},
    "collection/open_data.py": {"open_data"},
    "collection/scraping.py": {"scraping"},
    "collection/sql.py": {"sql"},
    "collection/web.py": {"api", "open_data", "scraping"},
    "deployment/service/*.py": {"fastapi", "flask"},
    "deployment/service/fastapi_routes.py": {"fastapi"},
    "deployment/service/flask_routes.py": {"flask"},
    "deployment/service/gunicorn_server.py": {"flask"},
    "improvement/tracking.py": {"mlflow"},
    "modeling/cluster.py": {"dask"},
    "modeling/gateway.py": {"dask"},
    "modeling/forecasters/*.py": {"forecasting"},
}
LIBRARY = "vendor/mlsteps/"

PARSERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".yml": lambda text: list(yaml.load_all(text, yaml.CSafeLoader)),
    ".yaml": lambda text: list(yaml.load_all(text, yaml.CSafeLoader)),
}
WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"\.?[\w-]+(?:[./*-]+\w+)*[./*]\w+/?")  # of a file, or of a folder in another


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.fixture(scope="module")
def projects(renderer: Renderer) -> list[tuple[Answers, Project]]:
    return list(renderer.every_project())


@pytest.fixture(scope="module")
def texts(projects: list[tuple[Answers, Project]]) -> set[tuple[str, str]]:
    """Return each text that a file has in any project, after its path."""
    return {item for _, project in projects for item in project.items()}


@pytest.mark.parametrize("combination", FEW, ids=title)
def test_both_engines_give_the_bytes_that_are_looked_at_here(
    render: Renders, combination: dict[str, str]
) -> None:
    template = render.template.path
    source = {"_commit": "1.0.0", "_src_path": str(template)}
    project = Renderer(source, template).project(**combination)
    expected = {path: text.encode() for path, text in project.items()}
    assert files(render("copier", **combination)) == expected
    assert files(render("cookiecutter", **combination)) == expected


def test_any_two_answers_meet_where_the_engines_are_compared(renderer: Renderer) -> None:
    assert renderer.choices == CHOICES  # of which FEW are made
    assert max(len(pattern.names) for pattern in renderer.patterns) == 2


def test_the_answers_are_kept(projects: list[tuple[Answers, Project]]) -> None:
    for answers, project in projects:
        kept = yaml.load(project[".copier-answers.yml"], yaml.CSafeLoader)
        assert kept.items() >= answers.items()


def test_no_jinja_is_left(texts: set[tuple[str, str]]) -> None:
    for path, text in texts:
        assert "{" not in path
        if not path.endswith(".py"):
            assert not re.search(r"(?<!\$)\{\{|\{%|\{#|cookiecutter\.\w", text), path


def test_whitespace_is_as_the_commit_hooks_want_it(texts: set[tuple[str, str]]) -> None:
    for path, text in texts:
        if not path.startswith("data/"):
            assert not re.search(r"[^\S\n]$", text, re.MULTILINE), path
            assert not text or re.search(r"[^\n]\n\Z", text), path


def test_every_file_parses(texts: set[tuple[str, str]]) -> None:
    for path, text in texts:
        PARSERS.get(PurePosixPath(path).suffix, str)(text)


def test_python_stays_as_it_is_in_the_template(texts: set[tuple[str, str]]) -> None:
    for path, text in texts:
        if not path.endswith(".py"):
            continue
        name = path.replace("src/my_model", "src/{{ cookiecutter.package_name }}")
        source = (REPOSITORY / "template" / name).read_text(encoding="utf-8")
        lines = zip(source.splitlines(), text.splitlines(), strict=True)
        changed = [line for line, result in lines if line != result]
        if path.startswith("tests/"):
            assert all(map(TEST_IMPORT.match, changed)), path
        elif path.endswith("__init__.py"):
            assert len(changed) <= 1, path
            assert all(map(STEP_IMPORT.match, changed)), path
        else:
            assert not changed, path


@pytest.mark.parametrize("command", ["check", "format --check --diff"])
def test_ruff_finds_nothing(
    renderer: Renderer, texts: set[tuple[str, str]], command: str, tmp_path: Path
) -> None:
    different = defaultdict(list)
    for path, text in sorted(texts):
        if path.endswith((".py", "ruff.toml")):
            different[path].append(text)
    # What is left differs in so few files that a few projects hold them all.
    for number in range(max(map(len, different.values()))):
        held = {path: found[number % len(found)] for path, found in different.items()}
        write(tmp_path / str(number), held)
    for name in ("a", "z" * 50):  # names change the order and the length of imports
        write(tmp_path / name, renderer.project(project_name=name))
    ruff = [sys.executable, "-m", "ruff", *command.split(), "--quiet", "--no-cache", "."]
    done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_file_names_are_legal_everywhere(projects: list[tuple[Answers, Project]]) -> None:
    for names in {tuple(project) for _, project in projects}:
        assert len({name.lower() for name in names}) == len(names)
        for name in names:
            assert not re.search(r'[<>:"|?*\\]', name)
            assert len(name) < 150
            assert not any(WINDOWS_DEVICE.match(part) for part in name.split("/"))


def test_links_between_documents_lead_somewhere(projects: list[tuple[Answers, Project]]) -> None:
    for answers, project in projects:
        there = places(tuple(project))
        for path in documents(project):
            for link in links(path, project[path]):
                assert link in there, f"{path} with {title(answers)}"


def test_files_that_documents_name_are_there(projects: list[tuple[Answers, Project]]) -> None:
    known = set().union(*(endings(tuple(project)) for _, project in projects))
    folders = {PurePosixPath(path).parts[0] for path in projects[0][1] if "/" in path}
    folders.remove("data")  # where the steps and users put theirs
    for answers, project in projects:
        here = endings(tuple(project))
        for path in documents(project):
            for name in names(project[path]):
                ours = name in known or name.partition("/")[0] in folders
                assert not ours or is_there(name, here), f"{name} in {path} with {title(answers)}"


def test_declared_dependencies_cover_the_imports(projects: list[tuple[Answers, Project]]) -> None:
    for answers, project in projects:
        runtime = requirements(project["pyproject.toml"])
        development = runtime + development_requirements(project["pyproject.toml"])
        python = {path: text for path, text in project.items() if path.endswith(".py")}
        src, tests, examples = (
            [path for path in python if path.startswith(folder)]
            for folder in ("src/", "tests/", "examples/")
        )
        own = {"my_model", "mlsteps"}
        used = [*src, *library_modules(tuple(python), frozenset(answers.values()))]
        assert imported(*[python[path] for path in used]) - own <= declared(runtime)
        own |= {PurePosixPath(path).stem for path in [*tests, *examples]}
        assert imported(*[python[path] for path in tests]) - own <= declared(development)
        # They need nothing but Python.
        assert not imported(*[python[path] for path in examples]) - own


def test_a_project_requires_what_its_library_needs(
    projects: list[tuple[Answers, Project]],
) -> None:
    for answers, project in projects:
        library = metadata(project["vendor/pyproject.toml"])
        needed = set(library["dependencies"])
        for answer in answers.values():
            needed.update(library["optional-dependencies"].get(answer, []))
        assert needed <= {*requirements(project["pyproject.toml"])}


def test_every_dependency_is_bounded_and_stands_where_uv_looks_for_it(
    texts: set[tuple[str, str]],
) -> None:
    for path, text in texts:
        if path == "pyproject.toml":
            listed = [re.split(r"[\[>]", line)[0] for line in requirements(text)]
            assert listed == sorted(listed)
            build = parsed(text)["build-system"]["requires"]
            for line in requirements(text) + development_requirements(text) + build:
                assert re.search(r">=[\d.]+,<[\d.]+$", line)


@pytest.mark.parametrize("module", USED_BY)
def test_a_module_of_the_library_that_few_projects_use_is_there(module: str) -> None:
    assert list((REPOSITORY / "template" / LIBRARY).glob(module))


def write(folder: Path, project: Project) -> None:
    """Write what ruff reads of a project."""
    for path, text in project.items():
        if path.endswith((".py", "ruff.toml")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="\n")


def documents(project: Project) -> list[str]:
    return [path for path in project if path.endswith(".md")]


@cache
def links(path: str, text: str) -> list[str]:
    """Return where the relative links of a document lead."""
    targets = (link.partition("#")[0] for link in LINK.findall(text) if "://" not in link)
    return [normpath(PurePosixPath(path).parent / target) for target in targets if target]


@cache
def names(text: str) -> set[str]:
    """Return what looks like the name of a file or of a folder in another."""
    return {name.rstrip("/") for name in NAME.findall(text)}


@cache
def places(paths: tuple[str, ...]) -> set[str]:
    """Return files and the folders that they are in."""
    return {str(place) for path in paths for place in (path, *PurePosixPath(path).parents)}


@cache
def endings(paths: tuple[str, ...]) -> set[str]:
    """Return by which names files and folders can be meant, but for those of the library."""
    found = set(places(paths))
    for place in list(found):
        if not place.startswith("vendor/"):
            parts = place.split("/")
            found.update("/".join(parts[start:]) for start in range(1, len(parts)))
    return {place for place in found if "/" in place or "." in place}


def is_there(name: str, here: set[str]) -> bool:
    return name in here or ("*" in name and any(fnmatch(place, name) for place in here))


@cache
def parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def metadata(text: str) -> dict[str, Any]:
    """Return the table [project] of a pyproject.toml."""
    return dict(parsed(text)["project"])


def requirements(text: str) -> list[str]:
    return list(metadata(text)["dependencies"])


def development_requirements(text: str) -> list[str]:
    return list(parsed(text)["dependency-groups"]["dev"])


@cache
def library_modules(paths: tuple[str, ...], answers: frozenset[str]) -> list[str]:
    """Return the modules of the library that a project with these answers may import."""
    unused = [pattern for pattern, users in USED_BY.items() if not users & answers]
    return [
        path
        for path in paths
        if path.startswith(LIBRARY)
        and not any(fnmatch(path.removeprefix(LIBRARY), pattern) for pattern in unused)
    ]


@cache
def imported(*sources: str) -> set[str]:
    """Return the libraries that Python files import."""
    return set().union(*map(imports, sources)) - sys.stdlib_module_names


@cache
def imports(source: str) -> set[str]:
    """Return the names that a Python file imports from elsewhere."""
    return set(imported_names(ast.parse(source)))


def imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).split(".")[0]


def declared(lines: list[str]) -> set[str]:
    """Return the names by which the required libraries are imported."""
    found = {re.split(r"[\[<>=]", line)[0].replace("-", "_") for line in lines}
    if "pydantic" in found:
        found.add("pydantic_core")  # pydantic requires one exact release of it
    return {"sklearn" if name == "scikit_learn" else name for name in found}
