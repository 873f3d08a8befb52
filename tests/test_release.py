"""A release is one command, and what its tag makes."""

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY, Template, git


@pytest.fixture
def unreleased(template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository as it stands, without a release."""
    path = tmp_path / "ml-template"
    shutil.copytree(template.path, path)
    git(path, "branch", "--move", "main")
    git(path, "tag", "--delete", *git(path, "tag").split())
    for who in ["AUTHOR", "COMMITTER"]:
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
    return path


def release(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the script that makes a release."""
    command = [sys.executable, "scripts/release.py", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def versions(repository: Path) -> set[str]:
    """Return the versions that the template, its library and links to its documentation say."""
    template = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    library = (repository / "template/vendor/mlsteps/__init__.py").read_text(encoding="utf-8")
    return {
        template["project"]["version"],
        *re.findall('^__version__ = "(.+)"', library, re.MULTILINE),
    }


def test_a_release_is_one_command(unreleased: Path) -> None:
    before = (unreleased / "CHANGELOG.md").read_text(encoding="utf-8")
    made = release(unreleased, "0.1.0")
    assert made.returncode == 0, made.stderr
    assert "git push --follow-tags" in made.stdout
    assert git(unreleased, "describe").strip() == "0.1.0"  # annotated, or it is not pushed
    assert not git(unreleased, "status", "--porcelain")
    assert versions(unreleased) == {"0.1.0"}
    today = dt.datetime.now(tz=dt.UTC).date()
    after = (unreleased / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = f"## Unreleased\n\n## 0.1.0 ({today})\n"
    assert after == before.replace("## Unreleased\n", heading)
    changes = before.partition("## Unreleased\n")[2].strip()
    assert release(unreleased, "0.1.0", "--notes").stdout.strip() == changes

    nothing_new = release(unreleased, "0.2.0")
    assert nothing_new.returncode == 1
    assert nothing_new.stderr == "CHANGELOG.md says nothing below Unreleased.\n"

    text = after.replace("## Unreleased\n", "## Unreleased\n\n- Something.\n")
    (unreleased / "CHANGELOG.md").write_text(text, encoding="utf-8")
    git(unreleased, "commit", "--quiet", "--all", "--message", "Change")
    assert release(unreleased, "0.2.0").returncode == 0
    assert release(unreleased, "0.2.0", "--notes").stdout == "- Something.\n"
    assert versions(unreleased) == {"0.2.0"}


def test_what_would_be_no_sound_release_is_refused(unreleased: Path) -> None:
    git(unreleased, "tag", "0.9.0")
    git(unreleased, "tag", "0.10.0")
    assert "is no version such as" in release(unreleased, "1.0").stderr
    assert "is not newer than 0.10.0" in release(unreleased, "0.10.0").stderr
    (unreleased / "LICENSE").write_text("")
    assert "Commit first" in release(unreleased, "1.0.0").stderr
    git(unreleased, "checkout", "--quiet", "--force", "-b", "other")
    assert "on the branch main" in release(unreleased, "1.0.0").stderr
    assert "no part for" in release(unreleased, "0.9.0", "--notes").stderr
    assert versions(unreleased) == versions(REPOSITORY)


@pytest.mark.slow
def test_a_tag_becomes_a_release_with_the_wheel(
    unreleased: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(unreleased, "0.3.0")
    monkeypatch.setenv("GITHUB_REF_NAME", "0.3.0")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    gh = f"#!{sys.executable}\nimport json, sys\njson.dump(sys.argv, open('said.json', 'w'))"
    (tmp_path / "gh").write_text(gh)
    (tmp_path / "gh").chmod(0o755)
    text = (unreleased / ".github/workflows/release.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    (tags,) = workflow[True]["push"]["tags"]  # `on` means true in YAML
    assert re.fullmatch(tags.replace(".", r"\."), "0.3.0")
    for step in workflow["jobs"]["release"]["steps"]:
        if "run" in step:
            subprocess.run(["bash", "-e", "-c", step["run"]], cwd=unreleased, check=True)
    said = json.loads((unreleased / "said.json").read_text())
    assert said[1:4] == ["release", "create", "0.3.0"]
    assert (unreleased / said[4]).name == "mlsteps-0.3.0-py3-none-any.whl"
    assert (unreleased / said[4]).exists()
    assert (unreleased / "notes.md").read_text(encoding="utf-8").startswith("- ")
