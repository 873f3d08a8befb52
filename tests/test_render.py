"""What is rendered works: it is checked, built and committed as its user would."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from combinations import CHOICES, FEW
from conftest import (
    CACHE,
    Environment,
    Renders,
    Template,
    commit,
    files,
    git,
)


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
@pytest.mark.parametrize("command", ["lint-imports --no-cache", "mypy --no-error-summary"])
def test_every_variant_passes(render: Renders, environment: Environment, command: str) -> None:
    projects = [render(**combination) for combination in FEW]
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


def python_and_its_rules(project: Path) -> str:
    """Return all that lint, format, types and import rules depend on."""
    rules = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    code = {
        name: content.decode()
        for name, content in files(project).items()
        if name.endswith((".py", "ruff.toml"))
    }
    return json.dumps([rules, code], sort_keys=True)
