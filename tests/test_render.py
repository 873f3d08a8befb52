"""Whatever is answered, both engines give the same sound project."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from combinations import CHOICES, COMBINATIONS, FEW, title
from conftest import (
    CACHE,
    Environment,
    Renders,
    Template,
    commit,
    files,
    git,
)

every_combination = pytest.mark.parametrize("combination", COMBINATIONS, ids=title)
PACKAGE = "{{ cookiecutter.package_name }}"

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
    "improvement/tracking.py": {"mlflow"},
    "modeling/forecasters/*.py": {"forecasting"},
}

PARSERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yml": lambda text: list(yaml.safe_load_all(text)),
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
}
WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)


@every_combination
def test_both_engines_give_the_same_bytes(render: Renders, combination: dict[str, str]) -> None:
    assert files(render("cookiecutter", **combination)) == files(render("copier", **combination))


@every_combination
def test_the_answers_are_kept(render: Renders, combination: dict[str, str]) -> None:
    text = (render(**combination) / ".copier-answers.yml").read_text(encoding="utf-8")
    answers = yaml.safe_load(text)
    assert answers["_commit"] == "1.0.0"
    assert answers.items() >= combination.items()


@every_combination
def test_no_jinja_and_no_empty_folder_is_left(render: Renders, combination: dict[str, str]) -> None:
    project = render(**combination)
    for path in project.rglob("*"):
        assert "{" not in path.name
        if path.is_dir():
            assert any(path.iterdir()), f"{path} is empty"
        elif path.suffix not in {".py", ".parquet", ".xlsx"}:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(?<!\$)\{\{|\{%|\{#|cookiecutter\.\w", text), path


@every_combination
def test_no_line_ends_with_blanks(render: Renders, combination: dict[str, str]) -> None:
    for path in render(**combination).rglob("*.*"):
        if path.suffix in {".md", ".toml", ".yaml", ".yml", ".py"}:
            assert not re.search(r"[ \t]$", path.read_text(encoding="utf-8"), re.MULTILINE), path


@every_combination
def test_every_file_parses(render: Renders, combination: dict[str, str]) -> None:
    for path in render(**combination).rglob("*"):
        if path.suffix in PARSERS:
            PARSERS[path.suffix](path.read_text(encoding="utf-8"))


@every_combination
def test_python_stays_as_it_is_in_the_template(
    render: Renders, combination: dict[str, str]
) -> None:
    project = render(**combination)
    for path in project.rglob("*.py"):
        name = path.relative_to(project).as_posix()
        source = render.template.path / "template" / name.replace("src/my_model", f"src/{PACKAGE}")
        rendered = path.read_text(encoding="utf-8")
        ast.parse(rendered)
        changed = [
            line
            for line, result in zip(
                source.read_text(encoding="utf-8").splitlines(), rendered.splitlines(), strict=True
            )
            if line != result
        ]
        if name.startswith("tests/"):
            assert all(map(TEST_IMPORT.match, changed)), name
        elif path.name == "__init__.py":
            assert len(changed) <= 1, name
            assert all(map(STEP_IMPORT.match, changed)), name
        else:
            assert not changed, name


@every_combination
def test_file_names_are_legal_everywhere(render: Renders, combination: dict[str, str]) -> None:
    names = list(files(render(**combination)))
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert not re.search(r'[<>:"|?*\\]', name)
        assert len(name) < 150
        assert not any(WINDOWS_DEVICE.match(part) for part in name.split("/"))


@every_combination
def test_declared_dependencies_cover_the_imports(
    render: Renders, combination: dict[str, str]
) -> None:
    project = render(**combination)
    pyproject = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = pyproject["project"]["dependencies"]
    own = {"my_model", "mlsteps"}
    used = [*(project / "src").rglob("*.py"), *library_modules(project, set(combination.values()))]
    assert imported(used) - own <= declared(runtime)
    development = runtime + pyproject["dependency-groups"]["dev"]
    scripts = [*(project / "tests").glob("*.py"), *(project / "examples").glob("*.py")]
    own |= {path.stem for path in scripts}
    assert imported((project / "tests").glob("*.py")) - own <= declared(development)
    # They need nothing but Python.
    assert not imported((project / "examples").glob("*.py")) - own


@every_combination
def test_a_project_requires_of_the_library_what_its_answers_need(
    render: Renders, combination: dict[str, str]
) -> None:
    project = render(**combination)
    own, library = metadata(project), metadata(project / "vendor")
    needed = set(library["dependencies"])
    for answer in combination.values():
        needed.update(library["optional-dependencies"].get(answer, []))
    assert needed <= set(own["dependencies"])


def test_the_library_declares_all_that_it_imports(render: Renders) -> None:
    vendor = render() / "vendor"
    library = metadata(vendor)
    needed = list(library["dependencies"])
    for extra in library["optional-dependencies"].values():
        needed.extend(extra)
    assert imported(vendor.rglob("*.py")) - {"mlsteps"} <= declared(needed)


@pytest.mark.parametrize("module", USED_BY)
def test_a_module_of_the_library_that_few_projects_use_is_there(
    render: Renders, module: str
) -> None:
    assert list((render() / "vendor" / "mlsteps").glob(module))


@every_combination
def test_every_dependency_is_bounded(render: Renders, combination: dict[str, str]) -> None:
    pyproject = tomllib.loads(
        (render(**combination) / "pyproject.toml").read_text(encoding="utf-8")
    )
    needed = (
        pyproject["project"]["dependencies"]
        + pyproject["dependency-groups"]["dev"]
        + pyproject["build-system"]["requires"]
    )
    assert [line for line in needed if not re.search(r">=[\d.]+,<[\d.]+$", line)] == []


def test_each_problem_type_has_its_own_files_only(render: Renders) -> None:
    kinds, samples = CHOICES["problem_type"], set()
    for kind in kinds:
        every = files(render(problem_type=kind))
        names = {name for name in every if not name.startswith("vendor/")}  # it knows all types
        others = [other for other in kinds if other != kind]
        assert not [name for name in names if any(other in name for other in others)]
        (sample,) = (name for name in names if re.fullmatch(r"data/sample/\w+\.csv", name))
        samples.add(sample)
    assert len(samples) == len(kinds)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "ruff check --no-cache",
        "ruff format --check --diff --no-cache",
        "lint-imports --no-cache",
        "mypy --no-error-summary",
    ],
)
def test_every_variant_passes(render: Renders, environment: Environment, command: str) -> None:
    projects = [render(**combination) for combination in FEW]
    # Names change the order and the length of imports.
    projects += [render(project_name=name) for name in ("a", "z" * 50)]
    different = {python_and_its_rules(project): project for project in projects}
    for project in different.values():
        environment.run(project, *command.split(), MYPY_CACHE_DIR=str(CACHE / "mypy"))


@pytest.mark.parametrize("data_source", ["sql", "api", "open_data"])
def test_the_workflow_shows_secrets_to_one_step_and_keeps_no_rows(
    render: Renders, data_source: str
) -> None:
    path = render(data_source=data_source) / ".github" / "workflows" / "improve.yml"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    (improve,) = [step for step in job["steps"] if "secrets." in str(step)]
    assert "env" not in workflow.keys() | job.keys()
    commands = [line for line in improve["run"].splitlines() if "uv run" in line]
    assert all(line.split()[:3] == ["uv", "run", "--locked"] for line in commands)
    assert len(commands) == 2
    kept = job["steps"][-1]["with"]["path"].split()
    assert {Path(name).suffix for name in kept} == {".jsonl", ".md", ".json"}
    assert {Path(name).name for name in kept} == {"history.jsonl", "card.md", "metrics.json"}


def test_actions_are_named_by_their_commits(render: Renders) -> None:
    workflows = [*render().glob(".github/workflows/*.yml")]
    used = [u for path in workflows for u in re.findall(r"uses: (.+)", path.read_text("utf-8"))]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used)


@pytest.mark.slow
def test_the_wheel_holds_the_whole_package(render: Renders, tmp_path: Path) -> None:
    answers = {"author_name": 'Zoë "O\'Brien"', "description": 'Says "yes" \\ é 🚀'}
    project = shutil.copytree(render(**answers), tmp_path / "project")
    command = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path)]
    subprocess.run(command, cwd=project, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        scripts = archive.read("my_model-0.1.0.dist-info/entry_points.txt").decode()
    library = {name for name in files(project / "vendor") if name.startswith("mlsteps/")}
    assert held == set(files(project / "src")) | library
    assert "my-model = my_model.cli:main" in scripts


@pytest.mark.slow
def test_the_commit_hooks_pass_on_a_fresh_project(template: Template, tmp_path: Path) -> None:
    project = template.copier(tmp_path / "project")
    commit(project, "Begin")
    run_commit_hooks(project)


@pytest.mark.slow
def test_the_commit_hooks_pass_on_the_template(template: Template, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(template.path), "clone")
    run_commit_hooks(tmp_path / "clone")


def run_commit_hooks(folder: Path) -> None:
    """Run all of pre-commit's hooks on all files; they may neither fail nor change any."""
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--show-diff-on-failure"],
        cwd=folder,
        env=os.environ | {"PRE_COMMIT_HOME": str(CACHE / "pre-commit")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def metadata(folder: Path) -> dict[str, Any]:
    """Return the table [project] of a folder's pyproject.toml."""
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["project"])


def library_modules(project: Path, answers: set[str]) -> list[Path]:
    """Return the modules of the library that a project with these answers may import."""
    library = project / "vendor" / "mlsteps"
    unused = {
        path
        for pattern, users in USED_BY.items()
        for path in library.glob(pattern)
        if not users & answers
    }
    return [path for path in library.rglob("*.py") if path not in unused]


def imported(paths: Iterable[Path]) -> set[str]:
    """Return the libraries that Python files import."""
    names: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).split(".")[0])
    return names - sys.stdlib_module_names


def declared(requirements: list[str]) -> set[str]:
    """Return the names by which the required libraries are imported."""
    names = {re.split(r"[\[<>=]", line)[0].replace("-", "_") for line in requirements}
    if "pydantic" in names:
        names.add("pydantic_core")  # pydantic requires one exact release of it
    return {"sklearn" if name == "scikit_learn" else name for name in names}


def python_and_its_rules(project: Path) -> str:
    """Return all that lint, format, types and import rules depend on."""
    rules = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    code = {
        name: content.decode()
        for name, content in files(project).items()
        if name.endswith((".py", "ruff.toml"))
    }
    return json.dumps([rules, code], sort_keys=True)
