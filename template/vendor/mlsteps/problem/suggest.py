"""Suggest a definition for new data, and write it into project.toml."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import tomlkit
from tomlkit.items import Array, Table

from ..errors import UserError
from ..files import write_text
from ..variants import of_type
from . import suspicious
from .check import check
from .columns import column_of, infer, labels
from .definition import check_definition, read_definition
from .fitting import LEAST_PERIODS, check_type, find_series
from .metric import Metrics
from .settings import Goal
from .suspicious import Kinds, Reasons
from .validation import check_present

MANY_MISSING = 0.5
MOST_AHEAD = 6  # periods that are forecast, until somebody says how many are needed
LISTS = ("id", "unknown_at_prediction", "drop")  # keys of [columns] that take several
RULES: list[tuple[str, Callable[..., Reasons]]] = [  # a column is put where the first rule says
    ("drop", suspicious.constant),
    ("id", suspicious.id_like),
    ("group", suspicious.group_like),
    ("drop", suspicious.duplicate),
]
SAMPLES = "data/sample/"  # costs that were chosen for a sample mean nothing for other data


@dataclass(frozen=True)
class Suggestion:
    """What project.toml should say of some data; each reason becomes a comment."""

    problem: dict[str, tuple[Any, str]]  # keys of [problem]: value and reason
    missing: Reasons  # of texts that stand for a missing value
    columns: dict[str, Reasons]  # by key of [columns]
    kinds: Kinds  # of the inputs
    frame: pd.DataFrame = field(repr=False)  # the data, with `missing` made missing

    def sentences(self) -> list[str]:
        """Say what was found, a sentence each."""
        kind, reason = self.problem["type"]
        found = [*self.columns.values(), self.missing]
        return [
            f"This is {kind}: {reason}.",
            *(f'"{name}" {why}.' for each in found for name, why in each.items()),
        ]


def suggest(frame: pd.DataFrame, target: str, own: str) -> Suggestion:
    """Look at `frame` and suggest a definition of the type `own` for it."""
    if target:
        check_present("--target", [target], list(frame.columns))
    missing, frame, doubts = suspicious.without_strays(frame)
    module = of_type("problem", own)
    problem: dict[str, tuple[Any, str]] = {
        "target": (target, ""),
        "type": (own, check_type(frame, target, own)),
    }
    known = column_of(frame, target)
    inputs = frame.drop(columns=target, errors="ignore")
    kinds = {str(name): infer(inputs[name]) for name in inputs}
    if module.Problem.of_series:
        columns, horizon = _series_columns(inputs, kinds)
        problem["horizon"] = (horizon, "how far ahead you need is yours to say")
        kinds = {}
    else:
        columns, kinds = _row_columns(inputs, kinds, known, module.Problem)
    for name, inferred in kinds.items():
        share = inputs[name].isna().mean()
        doubt = f", mostly missing ({share:.1%})" if share > MANY_MISSING else ""
        kinds[name] = replace(inferred, reason=doubts.get(name, inferred.reason) + doubt)
    problem |= module.suggest_problem(len(frame), known)
    return Suggestion(problem, missing, columns, kinds, frame)


def _row_columns(
    inputs: pd.DataFrame, kinds: Kinds, known: pd.Series, goal: type[Goal]
) -> tuple[dict[str, Reasons], Kinds]:
    """Return the columns by key of ``[columns]``, and the kinds of those that are inputs."""
    rules = [*RULES]
    if goal.needs_target:
        classes = goal.target_kind == "category"
        target = labels(known) if classes else pd.to_numeric(known, errors="coerce")
        too_good = partial(suspicious.too_good, target=target, classes=classes)
        rules.append(("unknown_at_prediction", too_good))
    columns: dict[str, Reasons] = {key: {} for key in (*LISTS, "group", "series")}
    for key, find in rules:
        found = find(inputs, kinds)
        columns[key] |= found
        kinds = {name: kind for name, kind in kinds.items() if name not in found}
    columns["date"] = suspicious.event_date(inputs, kinds)
    return columns, kinds


def _series_columns(inputs: pd.DataFrame, kinds: Kinds) -> tuple[dict[str, Reasons], int]:
    """Return the columns by key of ``[columns]``, and how many periods may be forecast."""
    regular = find_series(inputs)
    if regular is None:  # `check_type` has refused this
        raise UserError("The data has no column with regular dates.")
    drop = suspicious.constant(inputs, kinds)
    others = inputs.columns.difference([regular.date, regular.by, *drop], sort=False)
    columns = {
        "id": {},
        "unknown_at_prediction": dict.fromkeys(others, "is left out, unless you know it ahead"),
        "drop": drop,
        "date": {regular.date: "is the date: it goes up in regular steps"},
        "series": {regular.by: "is the column that tells the series apart"} if regular.by else {},
    }
    return columns, max(1, min(MOST_AHEAD, regular.periods // LEAST_PERIODS))


def write_suggestion(
    file: Path, suggestion: Suggestion, metrics: Metrics, data: str | None = None
) -> list[str]:
    """Write `suggestion` to a project.toml, and return what `check` says of it.

    Comments and all other settings stay; the former file is kept beside it as ``.bak``.
    """
    read_definition(file)
    document = tomlkit.parse(file.read_text(encoding="utf-8-sig"))
    tables: Any = document
    old_target, old_path = tables["problem"]["target"], str(tables["data"]["path"])
    for key, (value, reason) in suggestion.problem.items():
        if key != "type":
            _set(tables["problem"], key, value, reason)
    if data:
        tables["data"]["path"] = _relative(data, file.parent)
    if suggestion.missing:  # what the user listed before was heeded in reading, so it stays
        missing = dict.fromkeys(tables["data"]["missing"], "") | suggestion.missing
        tables["data"]["missing"] = _listed(missing)
    _fill_columns(tables["columns"], suggestion)
    is_new = old_target != tables["problem"]["target"]
    _reset(tables, costs=is_new or bool(data and old_path.startswith(SAMPLES)))
    definition = check_definition(document.unwrap(), file.name)
    sentences = check(definition, suggestion.frame, metrics).sentences
    shutil.copyfile(file, file.with_name(f"{file.name}.bak"))
    write_text(file, document.as_string())
    return sentences


def _fill_columns(columns: Any, suggestion: Suggestion) -> None:
    for key, found in suggestion.columns.items():
        if key in LISTS:
            columns[key] = _listed(found)
        elif found or key in columns:
            _set(columns, key, *next(iter(found.items()), ("", "")))
    kinds = columns.setdefault("kinds", tomlkit.table())
    for name in list(kinds):
        del kinds[name]
    for name, inferred in suggestion.kinds.items():
        _set(kinds, name, inferred.kind, inferred.reason)


def _reset(tables: Any, *, costs: bool) -> None:
    """Take back the settings that were made for other columns."""
    evaluation = tables["evaluation"]
    for key in {"slices", "shown_series"} & evaluation.keys():
        evaluation[key] = []
    for key in {"false_positive_cost", "false_negative_cost"} & evaluation.keys() if costs else ():
        _set(evaluation, key, 1.0, "no cost is known yet")
    if tables["split"].get("by") in {"date", "group"}:
        tables["split"]["by"] = "auto"


def _relative(data: str, root: Path) -> str:
    """Return how a project in `root` names `data`, which may be relative to where we are."""
    if "://" in data or data.startswith("env:"):
        return data
    full = Path(data).expanduser().resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.as_posix()


def _set(table: Table, key: str, value: Any, reason: str) -> None:
    item = tomlkit.item(value)
    if reason:
        item.comment(_line(reason))
    table[key] = item


def _listed(reasons: Reasons) -> Array:
    """Return an array with an entry on each line, and its reason after it."""
    array = tomlkit.array()
    for name, reason in reasons.items():
        array.add_line(name, comment=_line(reason) or None)
    if reasons:
        array.add_line(indent="")
    return array


def _line(text: str) -> str:
    """Return `text` without what would end a comment, or is not allowed in one."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
