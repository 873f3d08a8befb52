"""A project knows where it came from, however the template was named, or says what to write."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import commit, git

WRITE = "# To update this project, write here where the template's git repository is"

# How the template is named, and what the project keeps of that.
ADDRESSES = {
    "gh:org/ml-template": "gh:org/ml-template",
    "https://github.com/org/ml-template": "https://github.com/org/ml-template",
    "git+https://codeberg.org/org/ml-template": "git+https://codeberg.org/org/ml-template",
    "git@git.example.org:org/ml-template": "git@git.example.org:org/ml-template",
    "ssh://git@git.example.org:22/org/ml-template.git": (
        "ssh://git@git.example.org:22/org/ml-template.git"
    ),
    "https://me:secret@git.example.org/org/ml-template.git": (
        "https://git.example.org/org/ml-template.git"
    ),
}
# Copier takes these for folders, so it cannot start from them.
UNKNOWN = {
    "https://git.example.org/org/ml-template/": "git+https://git.example.org/org/ml-template",
    "ssh://git@git.example.org:22/org/ml-template": (
        "git+ssh://git@git.example.org:22/org/ml-template"
    ),
    "deploy@git.example.org:org/ml-template": "git+deploy@git.example.org:org/ml-template",
    "work:ml-template": "git+ssh://git@git.example.org:22/org/ml-template",
}
SERVERS = [
    "https://github.com/org/",
    "https://codeberg.org/org/",
    "https://me:secret@git.example.org/org/",
    "https://git.example.org/org/",
    "git@git.example.org:org/",
    "deploy@git.example.org:org/",
    "ssh://git@git.example.org:22/org/",
]


def run(folder: Path, *command: str, shell: Path | None = None) -> str:
    """Run an engine as a user does, in a folder; whatever it says is no traceback."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | {"PWD": str(shell or folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout
    assert done.returncode == 0, done.stdout
    return done.stdout


def kept(project: Path) -> str:
    """Return what a project says about where it came from."""
    return (project / ".copier-answers.yml").read_text(encoding="utf-8")


def check_update(project: Path) -> None:
    """Update a project from release 2.0.0, in another folder than where it was started."""
    commit(project, "Begin")
    run(project.parent.parent, "copier", "update", "--defaults", str(project))
    assert WRITE not in kept(project)
    assert (project / "third.txt").exists()


@pytest.fixture
def served(history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let git find the template where there is no server, and cookiecutter know a short name."""
    for name in ["ml-template", "ml-template.git"]:
        git(tmp_path, "clone", "--quiet", "--bare", str(history), f"served/{name}")
    for server in SERVERS:
        key = f"url.{(tmp_path / 'served').as_uri()}/.insteadOf"
        git(tmp_path, "config", "--file", "gitconfig", "--add", key, server)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    settings = {
        "replay_dir": str(tmp_path / "replay"),
        "cookiecutters_dir": str(tmp_path / "clones"),
        "abbreviations": {"work": "ssh://git@git.example.org:22/org/{0}"},
    }
    (tmp_path / "cookiecutter.yml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(tmp_path / "cookiecutter.yml"))


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("address", ADDRESSES | UNKNOWN)
def test_an_address_is_kept_as_copier_understands_it(tmp_path: Path, address: str) -> None:
    project = tmp_path / "work" / "my-model"
    run(tmp_path / "work", "cookiecutter", "--no-input", address, "--checkout", "2.0.0")
    answers = yaml.safe_load(kept(project))
    assert answers["_src_path"] == (ADDRESSES | UNKNOWN)[address]
    assert answers["_commit"] == "2.0.0"
    if address in ADDRESSES:
        run(tmp_path, "copier", "copy", "--defaults", "--vcs-ref", "2.0.0", address, "by-copier")
        assert kept(tmp_path / "by-copier") == kept(project)
    check_update(project)


COOKIECUTTER = ["cookiecutter", "--no-input"]
COPIER = ["copier", "copy", "--defaults", "--vcs-ref", "HEAD"]


@pytest.fixture
def cloned(history: Path, tmp_path: Path) -> Path:
    """A clone of the template where release 2.0.0 is checked out."""
    git(tmp_path, "clone", "--quiet", "--branch", "2.0.0", str(history), "clones/ml-template")
    return tmp_path / "clones" / "ml-template"


@pytest.mark.parametrize(
    "command",
    [
        [*COOKIECUTTER, "../clones/ml-template"],
        [*COOKIECUTTER, "../clones/ml-template", "-o", "../made/here"],
        [*COPIER, "../clones/ml-template", "my-model"],
    ],
    ids=["cookiecutter", "elsewhere", "copier"],
)
def test_a_relative_path_is_kept_whole(cloned: Path, tmp_path: Path, command: list[str]) -> None:
    run(tmp_path / "work", *command)
    (project,) = tmp_path.rglob("my-model")
    assert yaml.safe_load(kept(project))["_src_path"] == str(cloned)
    check_update(project)


def archive(cloned: Path, *left_out: str) -> Path:
    """Make an archive of a clone."""
    shutil.copytree(cloned, cloned.parent / "zip/ml-template", ignore=lambda *_: left_out)
    name = shutil.make_archive(str(cloned.parent / "template"), "zip", cloned.parent / "zip")
    return Path(name)


def test_an_archive_with_its_history_leads_to_where_it_was_cloned_from(
    cloned: Path, tmp_path: Path
) -> None:
    archive(cloned)
    run(tmp_path / "work", *COOKIECUTTER, "../clones/template.zip")
    project = tmp_path / "work" / "my-model"
    origin = git(cloned, "config", "remote.origin.url").strip()
    assert yaml.safe_load(kept(project))["_src_path"] == origin
    check_update(project)


def name_archive(cloned: Path) -> list[str]:
    """Name an archive without history, as servers make them."""
    archive(cloned, ".git")
    return [*COOKIECUTTER, "../clones/template.zip"]


def name_folder(cloned: Path) -> list[str]:
    """Name a folder that is no git repository."""
    shutil.copytree(cloned, cloned.parent / "plain", ignore=shutil.ignore_patterns(".git"))
    return [*COOKIECUTTER, "../clones/plain"]


def name_folder_to_copier(cloned: Path) -> list[str]:
    """Name such a folder to copier."""
    return [*COPIER, name_folder(cloned)[-1], "my-model"]


def name_directory(cloned: Path) -> list[str]:
    """Name a folder inside a repository, which copier cannot."""
    shutil.copytree(cloned, cloned.parent / "all/ml", ignore=shutil.ignore_patterns(".git"))
    commit(cloned.parent / "all", "Begin")
    address = (cloned.parent / "all").as_uri()
    return [*COOKIECUTTER, f"git+{address}", "--directory", "ml", "--checkout", "HEAD"]


@pytest.mark.parametrize("name", [name_archive, name_folder, name_folder_to_copier, name_directory])
def test_without_a_history_a_project_says_what_to_write(
    history: Path, cloned: Path, tmp_path: Path, name: Callable[[Path], list[str]]
) -> None:
    said = run(tmp_path / "work", *name(cloned))
    assert "write into .copier-answers.yml where the template is" in said
    project = tmp_path / "work" / "my-model"
    assert WRITE in kept(project)
    assert "_commit" not in yaml.safe_load(kept(project))
    answers = re.sub("_src_path: .*", f"_src_path: {history}\n_commit: 2.0.0", kept(project))
    (project / ".copier-answers.yml").write_text(answers, encoding="utf-8")
    check_update(project)


def test_a_folder_that_is_not_found_again_is_asked_for(
    cloned: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git(cloned, "remote", "remove", "origin")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    command = [*COOKIECUTTER, "../clones/ml-template", "-o", str(elsewhere)]
    run(tmp_path / "work", *command, shell=elsewhere)  # as where no shell says in which folder
    assert WRITE in kept(elsewhere / "my-model")
