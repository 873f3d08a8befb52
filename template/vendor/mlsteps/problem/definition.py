"""Read project.toml and check everything about it that needs no data."""

import difflib
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails

from ..errors import UserError
from ..variants import of_type
from . import settings
from .settings import Constraints, Improvement, Models, Search, Serving, Table
from .sources import SOURCES

FILE_NAME = "project.toml"
ANSWERS = ".copier-answers.yml"  # which code the template has put into the project
PROBLEM_TYPES = ["classification", "regression", "clustering", "forecasting", "anomaly_detection"]


class Definition(Table):
    """All of project.toml. Each attribute is one table of it."""

    problem: Any  # a Goal; this and the other Any depend on the problem type or the source
    data: Any
    columns: Any
    split: Any
    preparation: Any
    search: Search
    models: Models
    evaluation: Any
    constraints: Constraints
    serving: Serving
    improvement: Improvement

    @model_validator(mode="after")
    def _agree(self) -> Self:
        self.split.agree_with(self.columns)
        self.problem.agree_with(self.split_by())
        target = self.problem.target
        if target and target in [self.columns.date, *self.columns.not_features()]:
            raise ValueError(
                f'[problem] target "{target}" also stands in [columns]; '
                "a target is neither an input nor left out, so take it out of there"
            )
        return self

    def split_by(self) -> str:
        """Return how the test set is taken, with ``auto`` resolved."""
        return self.split.chosen(self.columns, self.problem.plain_split)

    def not_inputs(self) -> list[str]:
        """Return the columns that the model does not see."""
        target = [self.problem.target] if self.problem.target else []
        return [*target, *self.columns.not_features()]


def read_definition(path: Path) -> Definition:
    """Read the definition of the problem."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run this inside a project.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from None
    _check_code(path, table)
    return check_definition(table, path.name)


def check_definition(table: dict[str, Any], name: str = FILE_NAME) -> Definition:
    """Turn the content of project.toml into a `Definition`; `name` begins the messages."""
    for part in ("problem", "data"):
        if not isinstance(table.get(part, {}), dict):
            raise UserError(f"{name}: [{part}] is {table[part]!r}, but should be a table.")
    kind, source = _word(table, "problem", "type"), _word(table, "data", "source")
    _one_of(f"{name}: [problem] type", kind, PROBLEM_TYPES)
    _one_of(f"{name}: [data] source", source, list(SOURCES))
    model = definition_model(kind, source)
    try:
        return model.model_validate(table)
    except ValidationError as error:
        # A key that is not known may be the one that is missing, misspelt.
        found = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        sentence = _sentence(found[0], model)
        raise UserError(f"{name}: {sentence}{'' if sentence.endswith('?') else '.'}") from None


def _check_code(path: Path, table: dict[str, Any]) -> None:
    """Check that the type is the one whose code the template has put into the project."""
    answers = path.with_name(ANSWERS)
    text = answers.read_text(encoding="utf-8") if answers.is_file() else ""
    held = re.search(r"^problem_type: *['\"]?(\w+)", text, re.MULTILINE)
    problem = table.get("problem")
    kind = problem.get("type") if isinstance(problem, dict) else None
    if held and kind in PROBLEM_TYPES and kind != held[1]:
        raise UserError(
            f'{path.name}: [problem] type is "{kind}", but the project holds the code for '
            f"{held[1]}; set it back, then run `copier update --data problem_type={kind}`, which "
            "changes both."
        )


@lru_cache
def definition_model(problem_type: str, source: str) -> type[Definition]:
    """Return the model of project.toml for a type of problem and a source of data."""
    problem = of_type("problem", problem_type)
    tables = problem if problem.Problem.of_series else settings
    return create_model(
        "Definition",
        __base__=Definition,
        problem=(problem.Problem, ...),
        data=(SOURCES[source], ...),
        columns=(tables.Columns, ...),
        split=(tables.Split, ...),
        preparation=(tables.Preparation, ...),
        evaluation=(problem.Evaluation, ...),
    )


def _word(table: dict[str, Any], name: str, key: str) -> str:
    return str(table.get(name, {}).get(key, ""))


def _one_of(key: str, value: str, allowed: list[str]) -> None:
    if value not in allowed:
        raise UserError(f'{key} is "{value}"; allowed: {", ".join(allowed)}.')


def _sentence(error: ErrorDetails, model: type[Definition]) -> str:
    """Say what pydantic found wrong, with the key as the user wrote it."""
    table, *keys = [str(part) for part in error["loc"]] or [""]
    key = f"[{table}] {'.'.join(keys)}".strip()
    if error["type"] == "extra_forbidden":
        fields = model.model_fields
        known = list(fields[table].annotation.model_fields if keys else fields)  # type: ignore[union-attr]
        name = keys[-1] if keys else table
        close = difflib.get_close_matches(name, known, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"known keys: {', '.join(known)}"
        return f"{key} is not a known key; {hint}"
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    reason = error["msg"].removeprefix("Input ").replace("String", "it").replace("List", "it")
    if error["type"] == "model_type":
        reason = "should be a table"
    return f"{key} is {error['input']!r}, but {reason}"
