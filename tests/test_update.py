"""A project takes what the template learns later, whichever engine it was started with."""

import shutil
from pathlib import Path

import copier
import pytest
from combinations import CHOICES, FEW, title
from conftest import Template, commit, files, git

OWN_LINE = b"# A line of the user's own.\n"
EDITED = ["CONTRIBUTING.md", "src/my_model/errors.py"]


@pytest.fixture(scope="module")
def released(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A template with two releases; the older one is checked out."""
    path = tmp_path_factory.mktemp("released") / "ml-template"
    shutil.copytree(template.path, path)
    with (path / "template" / "CHANGELOG.md").open("a", encoding="utf-8") as file:
        file.write("- Something that {{ cookiecutter.project_name }} learnt.\n")
    (path / "template" / "new.txt").write_text("new\n", encoding="utf-8")
    commit(path, "Release")
    git(path, "tag", "2.0.0")
    git(path, "checkout", "--quiet", "1.0.0")
    return Template(path)


def begin(released: Template, folder: Path, **answers: str) -> Path:
    """Start a project with cookiecutter, and change it as its user would."""
    project = released.cookiecutter(folder, **answers)
    for name in EDITED:
        with (project / name).open("ab") as file:
            file.write(OWN_LINE)
    (project / "src" / "my_model" / "own.py").write_bytes(OWN_LINE)
    commit(project, "Begin")
    return project


def update(project: Path, **answers: str) -> None:
    """Update a project as `copier update` does, and commit."""
    copier.run_update(project, data=answers, defaults=True, overwrite=True, quiet=True)
    commit(project, "Update")


def fresh(released: Template, folder: Path, **answers: str) -> dict[str, bytes]:
    """Return the files of a project made now, with the user's changes."""
    expected = files(released.copier(folder, version="2.0.0", **answers))
    for name in EDITED:
        expected[name] += OWN_LINE
    return expected | {"src/my_model/own.py": OWN_LINE}


def test_an_update_brings_what_is_new_and_keeps_what_is_the_users(
    released: Template, tmp_path: Path
) -> None:
    project = begin(released, tmp_path)
    update(project)
    assert files(project) == fresh(released, tmp_path / "fresh")


def test_a_project_started_with_copier_updates_as_well(released: Template, tmp_path: Path) -> None:
    project = released.copier(tmp_path / "project", version="1.0.0")
    commit(project, "Begin")
    update(project)
    assert files(project) == files(released.copier(tmp_path / "fresh", version="2.0.0"))


@pytest.mark.slow
@pytest.mark.parametrize("combination", FEW, ids=title)
def test_an_update_with_other_answers_swaps_the_files(
    released: Template, tmp_path: Path, combination: dict[str, str]
) -> None:
    project = begin(released, tmp_path, **combination)
    changed = {
        name: choices[(choices.index(combination[name]) + 1) % len(choices)]
        for name, choices in CHOICES.items()
    }
    update(project, **changed)
    assert files(project) == fresh(released, tmp_path / "fresh", **changed)
