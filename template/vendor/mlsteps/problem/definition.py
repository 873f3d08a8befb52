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
from .settings import Compute, Constraints, Improvement, Models, Search, Serving, Table
from .sources import SOURCES

FILE_NAME = "project.toml"
ANSWERS = ".copier-answers.yml"  # which code the template has put into the project
PROBLEM_TYPES = ["classification", "regression", "clustering", "forecasting", "anomaly_detection"]


class Definition(Table):
    """All of project.toml. Each attribute is one table of it.

    Examples
    --------
    >>> definition = open_project().definition  # doctest: +SKIP
    >>> definition.problem.metric, definition.search.folds  # doctest: +SKIP
    ('roc_auc', 5)
    """

    problem: Any  # a Goal; this and the other Any depend on the problem type or the source
    data: Any
    columns: Any
    split: Any
    preparation: Any
    search: Search
    models: Models
    compute: Compute = Compute()
    evaluation: Any
    constraints: Constraints
    serving: Serving
    improvement: Improvement

    @model_validator(mode="after")
    def _agree_on_sample(self) -> Self:
        problem = self.problem
        if self.split.sample_rows and getattr(self.split, "newest_rows", 0):
            raise ValueError(
                "[split] sample_rows and newest_rows are both set, but a sample is of all rows; "
                "set one of them to 0"
            )
        if getattr(self.split, "all_rows", False):
            if not self.split.sample_rows:
                raise ValueError(
                    "[split] all_rows is true, but it says what becomes of the rows outside of a "
                    "sample; set sample_rows, or all_rows to false"
                )
            if not problem.needs_target:
                raise ValueError(
                    f"[split] all_rows is true, but nothing is predicted in {problem.type} that a "
                    "mean of models could be compared by; set it to false"
                )
        return self

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problem, columns, by = self.problem, self.columns, self.split_by()
        if by == "none" and problem.needs_target:
            raise ValueError(
                '[split] by is "none", but what predicts a target has to be tested on rows that it '
                "has not seen; allowed: auto, random, group, date"
            )
        if by in ("date", "group") and not getattr(columns, by):
            raise ValueError(f'[split] by is "{by}", but [columns] {by} names no column')
        unused = "group" if problem.of_series else "series"
        if getattr(columns, unused):
            raise ValueError(f"[columns] {unused} is not for {problem.type}; leave it empty")
        single = {"[problem] target": [problem.target], "[columns] series": columns.series_names()}
        for key, names in single.items():
            for name in filter(None, names):
                if name in [columns.date, *columns.not_features()]:
                    raise ValueError(
                        f'{key} names "{name}", which stands in [columns] for something else as '
                        "well; take it out of there"
                    )
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it: its class is made when it is read, and has no name to find it by."""
        return _restored, (self.problem.type, self.data.source, dict(self))

    def split_by(self) -> str:
        """Return how the test set is taken, with ``auto`` resolved."""
        by = "date" if self.problem.of_series else str(self.split.by)
        if by != "auto":
            return by
        usual = [key for key in ("date", "group") if getattr(self.columns, key)]
        return next(iter(usual), self.problem.plain_split)

    def with_decimal(self, sign: str) -> Self:
        """Return the definition for rows that come from files with this decimal sign."""
        data = self.data.model_copy(update={"decimal": sign or self.data.decimal})
        return self.model_copy(update={"data": data})

    def not_inputs(self) -> list[str]:
        """Return the columns that the model does not see."""
        target = [self.problem.target] if self.problem.target else []
        return [*target, *self.not_features()]

    def not_features(self) -> list[str]:
        """Return the columns that are put aside; without a target, when a row was says nothing."""
        date = self.columns.date if not self.problem.needs_target else ""
        return [*self.columns.not_features(), *filter(None, [date])]


def read_definition(path: Path) -> Definition:
    """Read the definition of the problem."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run this inside a project.") from None
    except ValueError as error:  # also of what is not UTF-8
        raise UserError(f"{path} is not valid TOML in UTF-8: {error}.") from None
    answers = path.with_name(ANSWERS)
    text = answers.read_text(encoding="utf-8") if answers.is_file() else ""
    held = re.search(r"^problem_type: *['\"]?(\w+)", text, re.MULTILINE)
    return check_definition(table, path.name, held[1] if held else "")


def check_definition(table: dict[str, Any], name: str = FILE_NAME, held: str = "") -> Definition:
    """Turn the content of project.toml into a `Definition`.

    `name` begins the messages; `held` is the type whose code the template put into the project.
    """
    kind = _choice(table, "problem", "type", PROBLEM_TYPES, name)
    source = _choice(table, "data", "source", list(SOURCES), name)
    if held and kind != held:
        raise UserError(
            f'{name}: [problem] type is "{kind}", but the project holds the code for {held}; set '
            f"it back, then run `copier update --data problem_type={kind}`, which changes both."
        )
    model = definition_model(kind, source)
    try:
        return model.model_validate(table)
    except ValidationError as error:
        # A key that is not known may be the one that is missing, misspelt.
        found = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        raise UserError(f"{name}: {_sentence(found, table, model)}") from None


def _choice(table: dict[str, Any], part: str, key: str, allowed: list[str], name: str) -> str:
    content = table.get(part, {})
    if not isinstance(content, dict):
        raise UserError(f"{name}: [{part}] is {content!r}, but should be a table.")
    value = content.get(key, "")
    if value not in allowed:
        raise UserError(f'{name}: [{part}] {key} is "{value}"; allowed: {", ".join(allowed)}.')
    return str(value)


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


def _restored(problem_type: str, source: str, tables: dict[str, Any]) -> Definition:
    return definition_model(problem_type, source).model_construct(**tables)


def _sentence(errors: list[ErrorDetails], table: dict[str, Any], model: type[Definition]) -> str:
    """Say what pydantic found wrong first, with the key as the user wrote it."""
    error = errors[0]
    part, *keys = [str(part) for part in error["loc"]] or [""]
    if len(keys) > 1 and table[part][keys[0]] == error["input"]:
        keys = keys[:1]  # of several types, whose names follow
    key, kind, message = f"[{part}] {'.'.join(keys)}".strip(), error["type"], error["msg"]
    if kind == "extra_forbidden":
        fields: Any = model.model_fields
        known = list(fields[part].annotation.model_fields if keys else fields)
        close = difflib.get_close_matches(keys[-1] if keys else part, known, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"known keys: {', '.join(known)}."
        return f"{key} is not a known key; {hint}"
    if kind == "missing":
        return f"{key} is missing."
    if kind == "value_error":
        return message.removeprefix("Value error, ") + "."
    same = dict.fromkeys(e["msg"] for e in errors if e["loc"][:2] == error["loc"][:2])
    first, *others = (text.partition(" or instance")[0] for text in same)
    reason = " or ".join([first, *(text.removeprefix("Input should be ") for text in others)])
    reason = reason.removeprefix("Input ").replace("String", "it").replace("List", "it")
    return f"{key} is {error['input']!r}, but {reason}."
