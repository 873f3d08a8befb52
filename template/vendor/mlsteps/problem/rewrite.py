"""Write a suggestion into project.toml; comments and all other settings stay as they are."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import Array, Item, Table

from ..files import write_text
from .check import DefinitionCheck, check
from .definition import check_definition, read_definition
from .metric import Metrics
from .suggest import Suggestion

SAMPLES = "data/sample/"  # costs that were chosen for a sample mean nothing for other data


def write_suggestion(
    file: Path, suggestion: Suggestion, metrics: Metrics, data: str | None = None
) -> DefinitionCheck:
    """Write `suggestion` to a project.toml; the former file is kept beside it as ``.bak``."""
    read_definition(file)
    document = tomlkit.parse(file.read_text(encoding="utf-8-sig"))
    _fill(document, suggestion, relative(data, file.parent) if data else None)
    definition = check_definition(document.unwrap(), file.name)
    checked = check(definition, suggestion.frame, metrics)
    shutil.copyfile(file, file.with_name(f"{file.name}.bak"))
    write_text(file, document.as_string())
    return checked


def relative(data: str, root: Path) -> str:
    """Return how a project in `root` names `data`, which may be relative to where we are."""
    if "://" in data or data.startswith("env:"):
        return data
    full = Path(data).expanduser().resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.as_posix()


def _fill(document: TOMLDocument, suggestion: Suggestion, path: str | None) -> None:
    problem, data, columns = document["problem"], document["data"], document["columns"]
    is_new = problem["target"] != suggestion.problem["target"][0]
    was_sample = bool(path) and str(data["path"]).startswith(SAMPLES)
    for key, (value, reason) in suggestion.problem.items():
        if key != "type":
            _set(problem, key, value, reason)
    if path:
        _set(data, "path", path)
    if suggestion.missing:  # what the user listed before was heeded in reading, so it stays
        _set(data, "missing", _listed(dict.fromkeys(data["missing"], "") | suggestion.missing))
    _fill_columns(columns, suggestion)
    evaluation = document["evaluation"]
    for key in {"slices", "shown_series"} & evaluation.keys():
        _set(evaluation, key, tomlkit.array())
    if is_new or was_sample:
        for key in {"false_positive_cost", "false_negative_cost"} & evaluation.keys():
            _set(evaluation, key, 1.0, "no cost is known yet")
    if document["split"].get("by") in {"date", "group"}:
        _set(document["split"], "by", "auto")


def _fill_columns(columns: Table, suggestion: Suggestion) -> None:
    for key in ("id", "unknown_at_prediction", "drop"):
        _set(columns, key, _listed(getattr(suggestion, key)))
    _set(columns, "date", *suggestion.date)
    for key, found in {"group": suggestion.group, "series": suggestion.series}.items():
        if found[0] or key in columns:
            _set(columns, key, *found)
    if "kinds" not in columns:
        columns["kinds"] = tomlkit.table()
    kinds = columns["kinds"]
    for name in list(kinds):
        del kinds[name]
    for name, inferred in suggestion.kinds.items():
        _set(kinds, name, inferred.kind, inferred.reason)


def _set(table: Table, key: str, value: Any, reason: str = "") -> None:
    item: Item = tomlkit.item(value)
    if reason:
        item.comment(_line(reason))
    table[key] = item


def _listed(reasons: Mapping[str, str]) -> Array:
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
