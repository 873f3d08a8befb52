"""Build the site of the documentation into site/; any warning is an error.

`uv run docs/build.py` builds the pages as they are. With `--versions` those of each release follow,
in a folder of its name, made of its own pages by its own tools.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).resolve().parent.parent
SITE = REPOSITORY / "site"
RELEASE = re.compile(r"\d+\.\d+\.\d+")


def main() -> None:
    """Build what the command line asks for."""
    if "--versions" not in sys.argv:
        return build(SITE)
    build(SITE, VERSION="of the main branch")
    for tag in filter(RELEASE.fullmatch, git("tag", "--list").split()):
        build_release(tag)
    return None


def build(target: Path, **variables: str) -> None:
    """Build the pages beside this file."""
    strict = ["--fail-on-warning", "--keep-going", "--fresh-env", "--quiet"]
    with TemporaryDirectory() as doctrees:
        places = ["--doctree-dir", doctrees, str(REPOSITORY / "docs"), str(target)]
        command = [sys.executable, "-m", "sphinx", *strict, *places]
        subprocess.run(command, check=True, env=os.environ | variables)


def build_release(tag: str) -> None:
    """Build the pages of a release, if it has a site."""
    with TemporaryDirectory() as folder:
        checkout = Path(folder) / "release"
        git("worktree", "add", "--quiet", "--detach", str(checkout), tag)
        try:
            if (checkout / "docs" / "build.py").exists():
                clean = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
                command = ["uv", "run", "--no-dev", "--group", "docs", "docs/build.py"]
                subprocess.run(command, cwd=checkout, check=True, env=clean)
                (checkout / "site").rename(SITE / tag)
        finally:
            git("worktree", "remove", "--force", str(checkout))


def git(*arguments: str) -> str:
    """Return what git says of this repository."""
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout


if __name__ == "__main__":
    main()
