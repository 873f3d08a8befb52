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

from ..files import write_text
from ..variants import of_type
from . import suspicious
from .check import check
from .columns import Kinds, column_of, infer, labels
from .definition import check_definition, read_definition
from .fitting import check_type, find_series, refuse_dates
from .metric import Metrics
from .series import align, least_periods
from .settings import Goal
from .suspicious import Reasons
from .validation import check_present, quoted

MANY_MISSING = 0.5
UNKNOWN_BAR = "better than the baseline: set what is good enough for you"
# Periods that are forecast, until somebody says how many are needed.
HORIZONS = {"Y": 3, "Q": 4, "M": 12, "W": 8, "D": 14, "B": 10, "h": 24, "min": 60, "s": 60}
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
    questions: list[str]  # that only somebody who knows the data can answer
    frame: pd.DataFrame = field(repr=False)  # the data, with `missing` made missing

    def sentences(self) -> list[str]:
        """Say what was found, a sentence each."""
        kind, reason = self.problem["type"]
        found = [*self.columns.values(), self.missing]
        return [
            f"This is {kind}: {reason}.",
            *(f'"{name}" {why}.' for each in found for name, why in each.items() if why),
            *self.questions,
        ]


def suggest(frame: pd.DataFrame, target: str, own: str, decimal: str = "") -> Suggestion:
    """Look at `frame`, whose files have a decimal sign, and suggest a definition of type `own`."""
    if target:
        check_present("--target", [target], list(frame.columns))
    module = of_type("problem", own)
    classes = target if module.Problem.target_kind == "category" else ""
    missing, frame, reasons = suspicious.without_strays(frame, decimal, classes)
    problem: dict[str, tuple[Any, str]] = {
        "target": (target, ""),
        "type": (own, check_type(frame, target, own)),
    }
    known = column_of(frame, target)
    inputs = frame.drop(columns=target, errors="ignore")
    kinds = {str(name): infer(inputs[name]) for name in inputs}
    if module.Problem.of_series:
        columns, kinds, questions = _series_columns(inputs, kinds)
    else:
        columns, kinds, questions = _row_columns(inputs, kinds, known, module.Problem)
    for name, inferred in kinds.items():
        share = inputs[name].isna().mean()
        doubt = f", mostly missing ({share:.1%})" if share > MANY_MISSING else ""
        kinds[name] = replace(inferred, reason=reasons.get(name, inferred.reason) + doubt)
    notes = [f'"{name}" {why}.' for name, why in reasons.items() if why != "holds numbers"]
    # A bar is set by whoever knows what is good enough: that of other data says nothing.
    problem |= module.suggest_problem(len(frame), known) | {"minimum": ("none", UNKNOWN_BAR)}
    return Suggestion(problem, missing, columns, kinds, [*notes, *questions], frame)


def _row_columns(
    inputs: pd.DataFrame, kinds: Kinds, known: pd.Series, goal: type[Goal]
) -> tuple[dict[str, Reasons], Kinds, list[str]]:
    """Return the columns by key of ``[columns]``, the kinds of the inputs, and what is asked."""
    rules, classes = [*RULES], goal.target_kind == "category"
    if goal.needs_target:
        target = labels(known) if classes else pd.to_numeric(known, errors="coerce")
        too_good = partial(suspicious.too_good, target=target, classes=classes)
        rules.append(("unknown_at_prediction", too_good))
        if not classes:
            pairs = partial(suspicious.too_good_pairs, target=target)
            rules.append(("unknown_at_prediction", pairs))
    else:
        rules.append(("drop", suspicious.dates))
    columns: dict[str, Reasons] = {key: {} for key in (*LISTS, "group", "series")}
    left = kinds
    for key, find in rules:
        found = find(inputs, left)
        columns[key] |= found
        left = {name: kind for name, kind in left.items() if name not in found}
    columns["date"] = suspicious.event_date(inputs, left) if goal.needs_target else {}
    doubtful = columns["unknown_at_prediction"]
    if left.keys() - columns["date"].keys():
        back = "If you know it before the target, take it out of [columns] unknown_at_prediction: "
        return columns, left, [f"{back}{quoted(doubtful)}."] if doubtful else []
    stays = {name: f"{why}; it stays, as nothing else is left" for name, why in doubtful.items()}
    left |= {name: replace(kinds[name], reason=why) for name, why in stays.items()}
    columns["unknown_at_prediction"] = {}
    return columns, left, [f'"{name}" {why}.' for name, why in stays.items()]


def _series_columns(
    inputs: pd.DataFrame, kinds: Kinds
) -> tuple[dict[str, Reasons], Kinds, list[str]]:
    """Return the columns by key of ``[columns]``, no kinds, and what has to be asked."""
    series = find_series(inputs) or refuse_dates(inputs)
    drop = suspicious.constant(inputs, kinds)
    others = inputs.columns.difference([series.date, *series.by, *drop], sort=False)
    columns = {
        "id": {},
        "unknown_at_prediction": dict.fromkeys(others, ""),
        "drop": drop,
        "date": {series.date: "is the date of the rows"},
        "series": dict.fromkeys(series.by, "tells the series apart"),
    }
    question = (
        f"Which columns are known for the dates to come, as holidays are: {quoted(others)}? Take "
        "them out of [columns] unknown_at_prediction; the others are not used."
    )
    return columns, {}, [question] if len(others) else []


def write_suggestion(
    file: Path, suggestion: Suggestion, metrics: Metrics, data: str | None = None, few: int = 0
) -> list[str]:
    """Write `suggestion` to a project.toml, and return what `check` says of it.

    If memory holds a `few` rows only, these are to be learnt from.
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
        _set(tables["data"], "path", _relative(data, file.parent))
    if data or suggestion.missing:  # what was listed before was heeded in reading, so it stays
        missing = dict.fromkeys(tables["data"]["missing"], "") | suggestion.missing
        tables["data"]["missing"] = _listed(missing)
    _fill_columns(tables["columns"], suggestion)
    if "horizon" in tables["problem"]:
        _fit_horizon(tables, suggestion.frame)
    if few:
        _set(tables["split"], "sample_rows", few, "memory does not hold all of them")
    is_new = old_target != tables["problem"]["target"]
    _reset(tables, costs=is_new or bool(data and old_path.startswith(SAMPLES)))
    definition = check_definition(document.unwrap(), file.name)
    sentences = check(definition, suggestion.frame, metrics).sentences
    if few:
        sentences = [f"Memory does not hold all rows: [split] sample_rows is {few:,}.", *sentences]
    shutil.copyfile(file, file.with_name(f"{file.name}.bak"))
    write_text(file, document.as_string())
    return sentences


def _fit_horizon(tables: Any, frame: pd.DataFrame) -> None:
    """Set a horizon that is usual for such dates and fits the history of all but short series."""
    problem, preparation = tables["problem"], tables["preparation"]
    short = preparation.get("short", "refuse")
    problem["horizon"], preparation["short"] = 1, "drop"
    definition = check_definition(tables.unwrap())
    aligned, tests = align(frame, definition), definition.split.least_horizons()
    lengths, calendar = aligned.lengths(), aligned.calendar
    room = lengths - least_periods(aligned.season)
    usual = max(1, HORIZONS[calendar.unit] // calendar.number)
    horizon = max(1, min(usual, int(room[2 * lengths >= lengths.max()].min()) // (tests + 2)))
    reason = f"usual for {calendar.words()} values, if they suffice; what you need is yours to say"
    _set(problem, "horizon", horizon, reason)
    if not aligned.dropped and (room >= (1 + tests) * horizon).all():
        preparation["short"] = short


def _fill_columns(columns: Any, suggestion: Suggestion) -> None:
    for key, found in suggestion.columns.items():
        if key in LISTS or len(found) > 1:
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
        _set(evaluation, key, [])
    if costs and "false_negative_cost" in evaluation:
        _set(evaluation, "false_positive_cost", 1.0)
        _set(evaluation, "false_negative_cost", "auto", "no cost is known yet")
    if tables["split"].get("by") in {"date", "group"}:
        _set(tables["split"], "by", "auto")


def _relative(data: str, root: Path) -> str:
    """Return how a project in `root` names `data`, which may be relative to where we are."""
    if "://" in data or data.startswith("env:"):
        return data
    full = Path(data).expanduser().resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.as_posix()


def _set(table: Table, key: str, value: Any, reason: str = "") -> None:
    """Set a key, and the comment beside it: that of another value is not true any more."""
    item, changed = tomlkit.item(value), table.get(key) != value
    if reason:
        item.comment(_line(reason))
    table[key] = item  # which takes over the old comment if there is no new one
    if changed and not reason:
        item.trivia.comment = item.trivia.comment_ws = ""


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
