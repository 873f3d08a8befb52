"""Suggest a definition for new data, and write it into project.toml."""

import re
import shutil
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
from .columns import Inference, column_of, infer, labels
from .definition import check_definition, read_definition
from .fitting import LEAST_PERIODS, check_type, find_series
from .metric import Metrics

MANY_MISSING = 0.5
MOST_AHEAD = 6  # periods that are forecast, until somebody says how many are needed
DATES = 10  # an event date takes at least so many values
BIRTH = re.compile(r"birth|born|dob", re.IGNORECASE)
LISTS = ("id", "unknown_at_prediction", "drop")  # keys of [columns] that take several
SAMPLES = "data/sample/"  # costs that were chosen for a sample mean nothing for other data


@dataclass(frozen=True)
class Suggestion:
    """What project.toml should say of some data; each reason becomes a comment."""

    problem: dict[str, tuple[Any, str]]  # keys of [problem]: value and reason
    missing: dict[str, str]  # texts that stand for a missing value, with reasons
    columns: dict[str, dict[str, str]]  # keys of [columns]: names with reasons
    kinds: dict[str, Inference]  # of the inputs
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
    if target and target not in frame.columns:
        raise UserError(
            f'The data has no column "{target}"; it has {", ".join(frame.columns[:10])}'
            f"{', …' if frame.shape[1] > 10 else ''}."
        )
    missing, frame, doubts = _without_strays(frame)
    module = of_type("problem", own)
    problem: dict[str, tuple[Any, str]] = {
        "target": (target, ""),
        "type": (own, check_type(frame, target, own)),
    }
    known = column_of(frame, target)
    inputs = frame.drop(columns=target, errors="ignore")
    kinds = {str(name): infer(inputs[name]) for name in inputs}
    if module.Problem.of_series:
        columns, ahead = _series_columns(inputs, kinds)
        problem["horizon"] = (ahead, "how far ahead you need is yours to say")
        kinds = {}
    else:
        columns, kinds = _row_columns(inputs, kinds, known, module.Problem)
    for name in kinds:
        share = inputs[name].isna().mean()
        doubt = f", mostly missing ({share:.1%})" if share > MANY_MISSING else ""
        kinds[name] = replace(kinds[name], reason=doubts.get(name, kinds[name].reason) + doubt)
    problem |= module.suggest_problem(len(frame), known)
    return Suggestion(problem, missing, columns, kinds, frame)


def _without_strays(frame: pd.DataFrame) -> tuple[dict[str, str], pd.DataFrame, dict[str, str]]:
    """Find the texts that stand for missing numbers, and turn their columns into numbers.

    A text with a digit, like "10+", says something, and so does one that another column uses as
    a label: such a column stays a category, for the reason that is returned.
    """
    strays = suspicious.stray_texts(frame)
    others = frame.select_dtypes("str").columns.difference(list(strays), sort=False)
    missing: dict[str, str] = {}
    doubts, numbers = {}, {}
    for name, texts in strays.items():
        rows = f"{frame[name].isin(texts).sum():,} rows"
        listed = ", ".join(f'"{text}"' for text in texts)
        label_of = next((other for other in others if frame[other].isin(texts).any()), None)
        if any(re.search(r"\d", text) for text in texts):
            doubts[name] = f"holds numbers, and {listed} in {rows}: write numbers to make it one"
        elif label_of:
            doubts[name] = f'holds numbers, and {listed}, a label of "{label_of}" as well'
        else:
            reason = f'counts as missing: it stands among the numbers of "{name}" in {rows}'
            missing |= dict.fromkeys(texts, reason)
            numbers[name] = pd.to_numeric(frame[name].mask(frame[name].isin(texts)))
    return missing, frame.assign(**numbers), doubts


def _row_columns(
    inputs: pd.DataFrame, kinds: dict[str, Inference], known: pd.Series, problem: Any
) -> tuple[dict[str, dict[str, str]], dict[str, Inference]]:
    """Return the columns that are not ordinary inputs, by key of ``[columns]``, and the others."""
    rules: list[Any] = [
        ("drop", suspicious.constant),
        ("id", suspicious.id_like),
        ("group", suspicious.group_like),
        ("drop", suspicious.duplicate),
    ]
    if problem.needs_target:
        classes = problem.target_kind == "category"
        target = labels(known) if classes else pd.to_numeric(known, errors="coerce")
        too_good = partial(suspicious.too_good, target=target, classes=classes)
        rules.append(("unknown_at_prediction", too_good))
    columns: dict[str, dict[str, str]] = {key: {} for key in (*LISTS, "date", "group", "series")}
    for key, find in rules:
        found = find(inputs, kinds)
        columns[key] |= found
        kinds = {name: kind for name, kind in kinds.items() if name not in found}
    columns["date"] = _date(inputs, kinds)
    return columns, kinds


def _date(inputs: pd.DataFrame, kinds: dict[str, Inference]) -> dict[str, str]:
    """Find the column that says when a row happened."""
    dates = [n for n, k in kinds.items() if k.kind == "date" and not BIRTH.search(n)]
    dates = [n for n in dates if inputs[n].notna().all() and inputs[n].nunique() >= DATES]
    if len(dates) < 2:
        return dict.fromkeys(dates, "is the only date that every row has")
    return {dates[0]: f'is the first date that every row has; "{dates[1]}" is another'}


def _series_columns(
    inputs: pd.DataFrame, kinds: dict[str, Inference]
) -> tuple[dict[str, dict[str, str]], int]:
    """Return the columns of a table of series by key of ``[columns]``, and periods to forecast."""
    regular = find_series(inputs)
    if regular is None:  # `check_type` has refused this
        raise UserError("The data has no column with regular dates.")
    drop = suspicious.constant(inputs, kinds)
    others = inputs.columns.difference([regular.date, regular.by, *drop], sort=False)
    by = {regular.by: "is the column that tells the series apart"} if regular.by else {}
    columns = {
        "id": {},
        "unknown_at_prediction": dict.fromkeys(others, "is left out, unless you know it ahead"),
        "drop": drop,
        "date": {regular.date: "is the date: it goes up in regular steps"},
        "series": by,
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


def _listed(reasons: dict[str, str]) -> Array:
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
