"""Count what a project's user owns, in every combination of answers: `python ownership.py`."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from in_memory import REPOSITORY, Answers, Renderer

LIBRARY = REPOSITORY / "template" / "vendor" / "mlsteps"


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
    renderer = Renderer()
    for answers, files in renderer.every_project():
        source, tests = (
            {path: text for path, text in files.items() if path.startswith(f"{folder}/")}
            for folder in ("src", "tests")
        )
        yield Owned({name: answers[name] for name in renderer.choices}, source, tests)


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
        print(f"\n{title}: {', '.join(project.answers.values())}")
        print(f"    src/ {project.lines:,} lines in {len(project.source)} files")
        print(f"    tests/ {project.test_lines:,} lines in {len(project.tests)} files")
        print(f"    longest file {file[0]} lines ({file[1]})")
        print(f"    longest function {function[0]} lines ({function[1]})")


if __name__ == "__main__":
    main()
