"""Both engines start a project from the newest release, or from what was asked for."""

from collections.abc import Callable
from pathlib import Path

import copier
import pytest
import yaml
from conftest import files, git, grow, start
from cookiecutter.exceptions import UndefinedVariableInTemplate
from copier.errors import UserMessageError


def answers(project: Path) -> dict[str, str]:
    """Return the answers that a project keeps, and where it came from."""
    return yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))


def copy(address: str, folder: Path, version: str | None = None) -> Path:
    """Start a project with copier as a user does: from the newest release, or what is named."""
    copier.run_copy(address, folder, defaults=True, quiet=True, vcs_ref=version)
    return folder


def save(project: Path) -> None:
    """Commit all that is in a project."""
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "Save")


def update(project: Path, version: str | None = None) -> None:
    """Update a project as `copier update` does, and commit."""
    save(project)
    copier.run_update(project, defaults=True, overwrite=True, quiet=True, vcs_ref=version)
    save(project)


def clone(history: Path, folder: Path, *options: str) -> Path:
    """Clone the template as a user does."""
    git(folder, "clone", "--quiet", *options, history.as_uri(), "clone")
    return folder / "clone"


def work_tree(history: Path, folder: Path) -> Path:
    """Give a clone a second work tree."""
    git(clone(history, folder), "worktree", "add", "--quiet", "-b", "mine", "../tree")
    return folder / "tree"


def without_tags(history: Path, folder: Path) -> Path:
    """Return a clone of the template as it was before its first release."""
    cloned = clone(history, folder)
    git(cloned, "tag", "--delete", *git(cloned, "tag").split())
    return cloned


SITUATIONS: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "commits after a tag": (clone, "10.0.0"),
    "no tag": (without_tags, ""),
    "a branch": (lambda history, folder: clone(history, folder, "--branch", "next"), "10.0.0"),
    "a work tree": (work_tree, "10.0.0"),
    "a shallow clone": (lambda history, folder: clone(history, folder, "--depth", "1"), ""),
    "a shallow clone with a tag": (
        lambda history, folder: clone(history, folder, "--depth", "5"),
        "10.0.0",
    ),
}


@pytest.mark.filterwarnings("ignore:.*shallow")
@pytest.mark.parametrize("situation", SITUATIONS)
def test_both_engines_start_from_the_newest_release(
    history: Path, tmp_path: Path, situation: str
) -> None:
    make, release = SITUATIONS[situation]
    folder = make(history, tmp_path)
    untouched = git(folder, "status", "--branch", "--porcelain=v2")
    project = start(str(folder), tmp_path)
    assert git(folder, "status", "--branch", "--porcelain=v2") == untouched
    head = git(folder, "rev-parse", "HEAD")
    assert answers(project)["_commit"] == release or head.startswith(answers(project)["_commit"])
    assert files(project) == files(copy(str(folder), tmp_path / "by-copier"))
    before = files(project)
    update(project)  # which is not refused as a downgrade
    assert files(project) == before


# What may be asked for, and how git describes it; the default branch is asked for as well.
NAMED = {"2.0.0": "2.0.0", "11.0.0rc1": "11.0.0rc1", "main": "11.0.0rc1-1-", "next": "11.0.0rc1-2-"}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_asked_for_is_taken(history: Path, tmp_path: Path, name: str) -> None:
    address = f"git+{history.as_uri()}"
    project = start(address, tmp_path, name)
    assert answers(project)["_commit"].startswith(NAMED[name])
    assert files(project) == files(copy(address, tmp_path / "by-copier", name))


def test_a_folder_at_a_commit_of_ones_choice_is_taken_as_it_stands(
    history: Path, tmp_path: Path
) -> None:
    folder = clone(history, tmp_path, "--branch", "2.0.0")
    (folder / "template" / "mine.txt").write_text("mine")
    project = start(str(folder), tmp_path)
    assert answers(project)["_commit"] == "2.0.0"
    assert (project / "mine.txt").read_text() == "mine"
    update(project)
    assert (project / "third.txt").exists()


def test_what_cookiecutter_would_not_check_out_is_refused(history: Path, tmp_path: Path) -> None:
    with pytest.raises(UndefinedVariableInTemplate) as told:
        start(str(clone(history, tmp_path)), tmp_path, "2.0.0")
    assert str(told.value.error).startswith("--checkout 2.0.0 does nothing in a folder")
    assert not (tmp_path / "my-model").exists()


def test_newer_commits_that_are_left_out_are_said(
    history: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start(str(history), tmp_path)
    assert "Release 10.0.0, without 3 newer commits of main." in capfd.readouterr().out


def test_a_project_from_a_branch_follows_it_until_the_next_release(
    history: Path, tmp_path: Path
) -> None:
    folder = clone(history, tmp_path)
    project = start(f"git+{folder.as_uri()}", tmp_path, "main")
    with pytest.raises(UserMessageError, match="downgrading"):
        update(project)
    grow(folder, "newest")
    update(project, "main")
    assert (project / "newest.txt").exists()
    git(folder, "tag", "12.0.0")
    update(project)
    assert answers(project)["_commit"] == "12.0.0"


def test_a_project_from_before_the_first_release_takes_it(history: Path, tmp_path: Path) -> None:
    folder = without_tags(history, tmp_path)
    project = start(str(folder), tmp_path)
    grow(folder, "first", "0.1.0")
    update(project)
    assert answers(project)["_commit"] == "0.1.0"
    assert (project / "first.txt").exists()


@pytest.mark.parametrize("way", ["2.0.0 10.0.0", "1.0.0 10.0.0", "1.0.0 2.0.0 10.0.0 12.0.0"])
def test_an_update_keeps_edits_across_releases(history: Path, tmp_path: Path, way: str) -> None:
    folder = clone(history, tmp_path)
    tags = way.split()
    project = start(f"git+{folder.as_uri()}", tmp_path, tags[0])
    with (project / "README.md").open("a") as file:
        file.write("A line of the user's own.\n")
    (project / "LICENSE").unlink()
    (project / "own.txt").write_text("own")
    for tag in tags[1:]:
        if tag == "12.0.0":
            grow(folder, "newest", tag)
            grow(folder, "after-the-newest")
        update(project, None if tag == tags[-1] else tag)
        assert answers(project)["_commit"] == tag
    expected = files(copy(f"git+{folder.as_uri()}", tmp_path / "fresh"))
    expected["README.md"] += b"A line of the user's own.\n"
    expected["own.txt"] = b"own"
    del expected["LICENSE"]
    assert files(project) == expected
