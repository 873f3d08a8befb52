"""Check the definition against the data, and say the problem in plain words."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .. import report
from ..errors import UserError
from . import METRICS, NEEDS_TARGET, check_target
from .columns import ConversionError, Inference, column_of, convert, infer
from .definition import Definition
from .project import Project

TARGET = "[problem] target"


@dataclass(frozen=True)
class Checked:
    """A definition that fits its data.

    Attributes
    ----------
    sentences
        The problem in plain words.
    columns
        What each column of the data is for, one mapping each.
    """

    sentences: list[str]
    columns: list[dict[str, Any]]


def define(project: Project, frame: pd.DataFrame) -> str:
    """Check the definition of `project` against its data, and leave a card for the report.

    Returns
    -------
    str
        The problem in plain words, a sentence on each line.

    Raises
    ------
    UserError
        If the two do not fit.
    """
    checked = check(project.definition, frame)
    first, *others = checked.sentences
    report.write_card(
        project.reports,
        "define",
        first,
        *map(report.paragraph, others),
        report.details("Columns", report.table(checked.columns, "What the columns are for")),
    )
    return "\n".join(checked.sentences)


def check(definition: Definition, frame: pd.DataFrame) -> Checked:
    """Check every part of the definition that names or needs data.

    Parameters
    ----------
    definition
        What project.toml says.
    frame
        The rows as collected.

    Raises
    ------
    UserError
        If a column is absent, the target cannot be learnt, values do not fit, or there are too
        few rows, groups or dates.
    """
    _check_names(definition, frame)
    _check_rows(definition, frame)
    problem = definition.problem
    target = check_target(column_of(frame, problem.target), problem, definition.search.folds)
    split = _split(definition, frame)
    kinds = _kinds(definition, frame)
    notes = _notes(definition, frame, list(kinds))
    task = problem.task(target, len(kinds), len(frame))
    sentences = [task, split, *_bar(definition), *notes]
    return Checked(sentences, _columns(definition, frame, kinds))


def _check_names(definition: Definition, frame: pd.DataFrame) -> None:
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise UserError(f'The data has more than one column "{twice[0]}"; names must differ.')
    columns = definition.columns
    named = {
        TARGET: [definition.problem.target] if definition.problem.target else [],
        "[columns] date": [columns.date] if columns.date else [],
        "[columns] group": [columns.group] if columns.group else [],
        "[columns] id": columns.id,
        "[columns] unknown_at_prediction": columns.unknown_at_prediction,
        "[columns] drop": columns.drop,
        "[columns.kinds]": columns.kinds,
        "[evaluation] slices": definition.evaluation.slices,
    }
    for key, names in named.items():
        _check_present(key, names, list(frame.columns), needed=key != TARGET or NEEDS_TARGET)
    for name in definition.evaluation.slices:
        if name in columns.not_features():
            raise UserError(
                f'[evaluation] slices names "{name}", which stands in [columns] as no input of the '
                "model; only inputs can be sliced by."
            )


def _check_present(key: str, names: Iterable[str], present: list[str], *, needed: bool) -> None:
    for name in names:
        if name not in present:
            known = {column.lower(): column for column in present}
            close = difflib.get_close_matches(name.lower(), known, n=1)
            if not (needed or close):
                continue
            few = ", ".join(present[:10]) + (", …" if len(present) > 10 else "")
            hint = f'did you mean "{known[close[0]]}"?' if close else f"it has {few}."
            raise UserError(f'{key} names "{name}", a column that the data does not have; {hint}')


def _check_rows(definition: Definition, frame: pd.DataFrame) -> None:
    folds, share = definition.search.folds, definition.split.test_share
    labelled = int(frame[definition.problem.target].notna().sum()) if NEEDS_TARGET else len(frame)
    test = int(labelled * share)
    if labelled and (labelled - test <= folds or test < 2):
        plural = "s" if len(frame) > 1 else ""
        with_target = f", {labelled:,} with a target" if NEEDS_TARGET else ""
        raise UserError(
            f"The data has {len(frame):,} row{plural}{with_target}; "
            f"that is not enough for [search] folds = {folds} and [split] test_share = {share:g}, "
            "so add rows or lower folds."
        )


def _split(definition: Definition, frame: pd.DataFrame) -> str:
    """Say how the test set is taken, once its dates and groups were checked."""
    share, folds = f"{definition.split.test_share:.0%}", definition.search.folds
    columns = definition.columns
    if columns.date:
        told = Inference("date", "", infer(frame[columns.date]).date_format)
        dates = _fitting(frame[columns.date], told, "[columns] date")
        if dates.dropna().nunique() < 2:
            raise UserError(
                f'[columns] date "{columns.date}" has {dates.dropna().nunique()} different dates; '
                "at least 2 are needed to split by it."
            )
        span = f"{dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}"
    if columns.group:
        groups = frame[columns.group].nunique()
        if groups <= folds:
            raise UserError(
                f'[columns] group "{columns.group}" has {groups} groups; more than [search] '
                f"folds = {folds} are needed."
            )
    by = definition.split_by()
    if by == "none":
        return "All rows are learnt from, and all are judged."
    if by == "date":
        return f'Test on the newest {share} of the rows by "{columns.date}" ({span}).'
    if by == "group":
        return f'Test on {share} of the {groups:,} groups "{columns.group}", drawn at random.'
    return f"Test on {share} of the rows, drawn at random."


def _kinds(definition: Definition, frame: pd.DataFrame) -> dict[str, Inference]:
    """Return the kind of each input column, once all its values were checked."""
    columns = definition.columns
    away = definition.not_inputs()
    kinds = {}
    for name in frame.columns.difference(away, sort=False):
        told = infer(frame[name])
        if name in columns.kinds:
            told = Inference(columns.kinds[name], "is set in [columns.kinds]", told.date_format)
        if told.kind in {"number", "date"}:  # whatever it is, it can be a category or a text
            _fitting(frame[name], told, "[columns.kinds]")
        kinds[name] = told
    if not any(frame[name].notna().any() for name in kinds):
        raise UserError(
            "No column is left to learn from: each one is empty, the target, or put aside in "
            "[columns]."
        )
    return kinds


def _fitting(values: pd.Series, told: Inference, key: str) -> pd.Series:
    try:
        return convert(values, told.kind, told.date_format)
    except ConversionError as error:
        few = len(error.rows) < len(values) / 2
        remedy = (
            f'correct it, or add "{error.value}" to [data] missing if it stands for a missing value'
            if few
            else f"mend {key}"
        )
        raise UserError(f"{key}: {error}; {remedy}.") from None


def _bar(definition: Definition) -> list[str]:
    problem, limits = definition.problem, definition.constraints
    metric = METRICS[problem.metric]
    direction = "at least" if metric.higher_is_better else "at most"
    bar = (
        f"Good enough is {metric.title} of {direction} {problem.minimum:,.6g}, clearly better than "
        f"{problem.rival()}."
    )
    cost = (
        f"The model may take {limits.train_seconds:g} s to fit, {limits.model_megabytes:g} MB on "
        f"disk and {limits.predict_milliseconds:g} ms to predict one row."
    )
    return [bar, cost]


def _notes(definition: Definition, frame: pd.DataFrame, inputs: list[str]) -> list[str]:
    """Say what is worth knowing, though nothing has to be done about it."""
    target = definition.problem.target
    unlabelled = int(frame[definition.problem.target].isna().sum()) if NEEDS_TARGET else 0
    empty = [f'"{name}"' for name in inputs if frame[name].isna().all()]
    unknown = [f'"{name}"' for name in definition.columns.unknown_at_prediction]
    later = target and target not in frame.columns
    notes = {
        f"{unlabelled:,} rows have no target; they are not used.": unlabelled,
        f'The data has no column "{target}", so no row has a label yet.': later,
        f"Empty, so without use: {', '.join(empty)}; [columns] drop leaves it out.": empty,
        f"Not known at prediction time, so not used: {', '.join(unknown)}.": unknown,
    }
    return [note for note, worth in notes.items() if worth]


def _columns(
    definition: Definition, frame: pd.DataFrame, kinds: dict[str, Inference]
) -> list[dict[str, Any]]:
    columns = definition.columns
    roles = (
        dict.fromkeys(columns.drop, "dropped")
        | dict.fromkeys(columns.unknown_at_prediction, "unknown at prediction")
        | dict.fromkeys(columns.id, "id")
        | {columns.group: "group", definition.problem.target: "target"}
    )
    return [
        {
            "column": name,
            "for": roles.get(name, "input, date of the row" if name == columns.date else "input"),
            "kind": kinds[name].kind if name in kinds else None,
            "because it": kinds[name].reason if name in kinds else None,
            "missing, %": 100 * frame[name].isna().mean(),
        }
        for name in frame.columns
    ]
