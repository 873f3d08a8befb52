"""Make a release: `python scripts/release.py 0.2.0`, then `git push --follow-tags`.

The template and its library get the version, and the unreleased part of the changelog its name and
date; this is committed and tagged. `.github/workflows/release.yml` does the rest once it is pushed.
"""

import argparse
import datetime as dt
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CHANGELOG = REPOSITORY / "CHANGELOG.md"
UNRELEASED = "## Unreleased\n"
LIBRARY = REPOSITORY / "template" / "vendor" / "mlsteps"
VERSIONED = {  # where the version stands: between what these patterns find before and after it
    REPOSITORY / "pyproject.toml": ('^version = "', '"$'),
    LIBRARY / "__init__.py": ('^__version__ = "', '"$'),
    LIBRARY / "README.md": (r"\.io/ml-template/", "/"),  # the documentation of this version
}


def main() -> None:
    """Make the release, or print what the changelog says of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="of the release, such as 0.2.0")
    parser.add_argument("--notes", action="store_true", help="only print its changes")
    arguments = parser.parse_args()
    if arguments.notes:
        print(notes(rf"{re.escape(arguments.version)} \(\S+\)"))
        return
    check(arguments.version)
    write(arguments.version)
    git("commit", "--quiet", "--all", "--message", f"Release {arguments.version}")
    git("tag", "--annotate", "--message", f"Release {arguments.version}", arguments.version)
    print(f"Release {arguments.version} is made; publish it: git push --follow-tags")


def git(*arguments: str) -> str:
    """Run git in the repository and return what it says; its errors are shown."""
    command = ["git", "-C", str(REPOSITORY), *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return run.stdout if run.returncode == 0 else sys.exit(run.returncode)


def notes(heading: str) -> str:
    """Return the part of the changelog below a heading, which is a pattern."""
    text = CHANGELOG.read_text(encoding="utf-8")
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else sys.exit(f"CHANGELOG.md has no part for {heading}.")


def check(version: str) -> None:
    """Refuse what would make no sound release."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(f"{version} is no version such as 0.2.0.")
    released = [tag for tag in git("tag").split() if re.fullmatch(r"\d+\.\d+\.\d+", tag)]
    newest = max(released, key=numbers, default="0.0.0")
    if numbers(version) <= numbers(newest):
        sys.exit(f"{version} is not newer than {newest}, the last release.")
    if git("branch", "--show-current").strip() != "main":
        sys.exit("Releases are made on the branch main.")
    if changed := git("status", "--porcelain"):
        sys.exit(f"Commit first what has changed:\n{changed}")
    if not notes("Unreleased"):
        sys.exit("CHANGELOG.md says nothing below Unreleased.")


def numbers(version: str) -> list[int]:
    """Return a version as it is compared."""
    return [int(number) for number in version.split(".")]


def write(version: str) -> None:
    """Write the version where it stands, and name and date the changes."""
    for path, (before, after) in VERSIONED.items():
        text = path.read_text(encoding="utf-8")
        text = re.sub(rf"(?m)({before})\d+\.\d+\.\d+({after})", rf"\g<1>{version}\g<2>", text)
        path.write_text(text, encoding="utf-8", newline="\n")
    today = dt.datetime.now(tz=dt.UTC).date()
    text = CHANGELOG.read_text(encoding="utf-8")
    text = text.replace(UNRELEASED, f"{UNRELEASED}\n## {version} ({today})\n", 1)
    CHANGELOG.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
