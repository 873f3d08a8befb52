"""Every project that the template can give, rendered in memory: thousands in seconds."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment
from pathspec import PathSpec

REPOSITORY = Path(__file__).resolve().parent.parent

Answers = dict[str, str]
Project = dict[str, str]  # the text of each file, by its path

# What the answers file says of where a project came from.
SOURCE = {"_commit": "1.0.0", "_src_path": "gh:org/ml-template"}


@dataclass(frozen=True)
class Part:
    """A text with Jinja in it, and what it gave, by the answers that it depends on."""

    template: jinja2.Template
    names: tuple[str, ...]
    given: dict[tuple[str, ...], str] = field(default_factory=dict)

    def render(self, answers: Answers, source: dict[str, str] = SOURCE) -> str:
        """Render it, or recall what the same answers gave before."""
        key = tuple([answers[name] for name in self.names])
        if key not in self.given:
            kept = source | answers
            context = answers | {"cookiecutter": answers, "_copier_answers": kept}
            self.given[key] = self.template.render(context)
        return self.given[key]


class Renderer:
    """Renders as copier does: by the settings, the defaults and the exclusions of copier.yml."""

    def __init__(self, source: dict[str, str] = SOURCE, repository: Path = REPOSITORY) -> None:
        """Read the template, which came from `source`."""
        config = yaml.safe_load((repository / "copier.yml").read_text(encoding="utf-8"))
        self.source = source
        self.environment = SandboxedEnvironment(
            extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"], **config["_envops"]
        )
        self.computed = {
            name: question
            for name, question in config.items()
            if not name.startswith("_") and name != "cookiecutter"
        }
        self.questions = {
            name: question
            for name, question in self.computed.items()
            if question.get("when") is not False
        }
        self.choices: dict[str, list[str]] = {
            name: list(question["choices"].values())
            for name, question in self.questions.items()
            if "choices" in question
        }
        self.patterns = [self.part(pattern) for pattern in config["_exclude"]]
        never = matcher(pattern for pattern in config["_exclude"] if "{" not in pattern)
        template = repository / config["_subdirectory"]
        self.files = [
            (self.part(name), self.part(path.read_bytes().decode()))
            for path in sorted(template.rglob("*"))
            if path.is_file()
            and not never.match_file(name := path.relative_to(template).as_posix())
        ]
        self.kept: dict[tuple[str, ...], list[tuple[Part, Part]]] = {}

    def part(self, text: str) -> Part:
        """Find out which answers a text depends on: by their names, or as cookiecutter's."""
        tree = self.environment.parse(text)
        used = meta.find_undeclared_variables(tree)
        if "cookiecutter" in used:
            used |= {node.attr for node in tree.find_all(nodes.Getattr)}
        every = "_copier_answers" in used
        names = (name for name in self.questions if every or name in used)
        return Part(self.environment.from_string(text), tuple(names))

    def answers(self, **given: str) -> Answers:
        """Return an answer to each question: the default, where none is given."""
        found: Answers = {}
        for name, question in self.computed.items():
            default = self.environment.from_string(str(question["default"]))
            found[name] = given[name] if name in given else default.render(found)
        return {name: found[name] for name in self.questions}

    def project(self, **given: str) -> Project:
        """Return the files of a project."""
        return self._project(self.answers(**given))

    def every_project(self) -> Iterator[tuple[Answers, Project]]:
        """Yield each combination of answers with its project, the defaults first."""
        texts = self.answers()
        for chosen in itertools.product(*self.choices.values()):
            answers = texts | dict(zip(self.choices, chosen, strict=True))
            yield answers, self._project(answers)

    def _project(self, answers: Answers) -> Project:
        patterns = tuple([pattern.render(answers) for pattern in self.patterns])
        if patterns not in self.kept:
            out = matcher(patterns)
            self.kept[patterns] = [
                (path, text)
                for path, text in self.files
                if not out.match_file(path.render(answers))
            ]
        return {
            path.render(answers): text.render(answers, self.source)
            for path, text in self.kept[patterns]
        }


def matcher(patterns: Iterator[str] | tuple[str, ...]) -> PathSpec[Any]:
    """Return what tells whether a path is excluded, as copier does it."""
    return PathSpec.from_lines("gitignore", filter(None, patterns))
