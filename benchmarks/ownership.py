"""Count what a project's user owns, in every combination of answers: `python ownership.py`."""

import ast
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import jinja2
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
TEMPLATE = REPOSITORY / "template"
PACKAGE = "src/{{ cookiecutter.package_name }}/"
LIBRARY = TEMPLATE / "vendor" / "mlsteps"

Answers = dict[str, str]


@dataclass(frozen=True)
class Owned:
    """What a project holds that is its user's."""

    answers: Answers
    source: dict[str, str]  # the text of each Python file, by its path
    tests: dict[str, str]

    @property
    def lines(self) -> int:
        """The lines under src/."""
        return sum(map(count, self.source.values()))

    @property
    def test_lines(self) -> int:
        """The lines under tests/."""
        return sum(map(count, self.tests.values()))

    @property
    def longest_file(self) -> tuple[int, str]:
        """The lines of the longest file under src/, and its path."""
        return max((count(text), path) for path, text in self.source.items())

    @property
    def longest_function(self) -> tuple[int, str]:
        """The lines of the longest function under src/, and where it is."""
        return max(
            (int(node.end_lineno or 0) - node.lineno + 1, f"{path}:{node.name}")
            for path, text in self.source.items()
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef)
        )


def count(text: str) -> int:
    """Return how many lines a text has."""
    return len(text.splitlines())


def library_lines() -> int:
    """Return the lines of Python of the library, which is whole in every project."""
    return sum(count(path.read_text(encoding="utf-8")) for path in LIBRARY.rglob("*.py"))


def every_project() -> Iterator[Owned]:
    """Yield what is owned in each combination of answers, the defaults first; all in memory."""
    config = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    questions = json.loads((REPOSITORY / "cookiecutter.json").read_text(encoding="utf-8"))
    choices = {name: value for name, value in questions.items() if isinstance(value, list)}
    environment = jinja2.Environment(keep_trailing_newline=True)
    patterns = [environment.from_string(pattern) for pattern in config["_exclude"]]
    templates = {
        path.relative_to(TEMPLATE).as_posix(): environment.from_string(
            path.read_text(encoding="utf-8")
        )
        for folder in ("src", "tests")
        for path in sorted((TEMPLATE / folder).rglob("*.py"))
    }
    texts: dict[tuple[str, str], str] = {}  # rendered, by template and the answers in it
    kept = {name: template for name, template in templates.items() if "__pycache__" not in name}
    for values in itertools.product(*choices.values()):
        answers = {"package_name": "my_model"} | dict(zip(choices, values, strict=True))
        left_out = [text for pattern in patterns if (text := pattern.render(answers))]
        found: dict[str, str] = {}
        for name, template in kept.items():
            path = name.replace(PACKAGE, "src/my_model/")
            if not any(matches(path, pattern) for pattern in left_out):
                key = (name, answers["problem_type"] + answers["serving"])
                texts.setdefault(key, template.render(cookiecutter=answers))
                found[path] = texts[key]
        yield Owned(
            answers,
            {path: text for path, text in found.items() if path.startswith("src/")},
            {path: text for path, text in found.items() if path.startswith("tests/")},
        )


def matches(path: str, pattern: str) -> bool:
    """Tell whether a pattern of _exclude names a path or a folder that it is in."""
    parts = path.split("/")
    if "/" not in pattern:
        return any(fnmatch(part, pattern) for part in parts)
    wanted = pattern.split("/")
    return len(wanted) <= len(parts) and all(map(fnmatch, parts, wanted))


def main() -> None:
    """Print the default project and the largest."""
    projects = list(every_project())
    largest = max(projects, key=lambda project: project.lines)
    most_tests = max(projects, key=lambda project: project.test_lines)
    print(f"{len(projects):,} combinations; the library has {library_lines():,} lines")
    for title, project in (
        ("default", projects[0]),
        ("most of src/", largest),
        ("most of tests/", most_tests),
    ):
        file, function = project.longest_file, project.longest_function
        print(f"\n{title}: {', '.join(list(project.answers.values())[1:])}")
        print(f"    src/ {project.lines:,} lines in {len(project.source)} files")
        print(f"    tests/ {project.test_lines:,} lines in {len(project.tests)} files")
        print(f"    longest file {file[0]} lines ({file[1]})")
        print(f"    longest function {function[0]} lines ({function[1]})")


if __name__ == "__main__":
    main()
