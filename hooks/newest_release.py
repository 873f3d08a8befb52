"""Start from the newest release, as copier does, unless something else was asked for."""

import re
import subprocess
import sys
from pathlib import Path

from cookiecutter.utils import rmtree


def git(*arguments: str) -> str:
    """Return what git says; nothing where it fails, or is not there."""
    try:
        run = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return run.stdout.strip()


def find_release() -> str:
    """Return the tag of the newest release of this history; nothing where there is none."""
    if not Path(".git").exists():  # of an archive; git would look in the folders above
        return ""
    releases = re.findall(r"^v?\d+(?:\.\d+)*$", git("tag"), re.MULTILINE)
    return max(releases, key=lambda tag: [*map(int, re.findall(r"\d+", tag))], default="")


def somebody_chose() -> bool:
    """Tell whether a commit is checked out by name, as `--checkout` does right after cloning."""
    moves = [move.partition(":")[0] for move in git("reflog", "--format=%gs").splitlines()]
    return moves == ["checkout", "clone"] or not git("symbolic-ref", "--quiet", "HEAD")


def check_out(release: str) -> None:
    """Replace everything here by a clone at `release`."""
    # Not `git checkout`: in the copy of a work tree, it would change the original.
    address = git("config", "remote.origin.url")
    command = ["git", "clone", "--quiet", "--branch", release, ".", ".release"]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"git cannot check out release {release}:\n{run.stderr.strip()}")
    if address:
        git("-C", ".release", "config", "remote.origin.url", address)
    for path in Path().iterdir():
        if path.name == ".release":
            continue
        if path.is_dir() and not path.is_symlink():
            rmtree(path)  # also what is read-only, on Windows
        else:
            path.unlink()
    for path in Path(".release").iterdir():
        path.rename(path.name)
    Path(".release").rmdir()


def start_from_release() -> bool:
    """Check out the newest release in cookiecutter's copy, and tell whether that was done."""
    release = find_release()
    if not release or somebody_chose():
        return False
    if newer := git("log", "--oneline", f"{release}..HEAD"):
        branch = git("symbolic-ref", "--short", "HEAD")
        print(
            f"Release {release}, without {len(newer.splitlines())} newer commits of {branch}.",
            flush=True,
        )
    check_out(release)
    return True
