"""Check the definition against the data, and say the problem in plain words."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from .. import report
from ..errors import UserError
from ..variants import of_type
from .check_series import validate_series
from .columns import Inference, column_of, infer
from .definition import Definition
from .metric import Metric, Metrics, all_metrics, select_metric
from .project import Project
from .validation import ValidationResult, check_present, convert_column


@dataclass(frozen=True)
class DefinitionCheck:
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


def define(project: Project, frame: pd.DataFrame, metrics: Metrics) -> str:
    """Check the definition of a project against its data, and write a card for the report.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    frame : DataFrame
        The rows as collected.
    metrics : mapping of str to Metric
        The project's own metrics.

    Returns
    -------
    str
        The problem in plain words, a sentence on each line.

    Raises
    ------
    UserError
        If the two do not fit: a column is absent, the target cannot be learnt, values do not fit
        their kind, or there are too few rows, groups or dates.
    """
    checked = check(project.definition, frame, metrics)
    first, *others = checked.sentences
    report.write_card(
        project.reports,
        "define",
        first,
        *map(report.paragraph, others),
        report.details("Columns", report.table(checked.columns, "What the columns are for")),
    )
    return "\n".join(checked.sentences)


def check(definition: Definition, frame: pd.DataFrame, metrics: Metrics) -> DefinitionCheck:
    """Check every part of the definition that names or needs data."""
    kind = definition.problem.type
    metric = select_metric(definition.problem.metric, all_metrics(kind, metrics))
    _check_names(definition, frame)
    validate = validate_series if definition.problem.of_series else _validate_rows
    result = validate(definition, frame)
    sentences = [result.task, result.test, *_bar(definition, metric), *result.notes]
    return DefinitionCheck(sentences, _columns(definition, frame, result.kinds))


def _check_names(definition: Definition, frame: pd.DataFrame) -> None:
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise UserError(f'The data has more than one column "{twice[0]}"; names must differ.')
    problem, present = definition.problem, list(frame.columns)
    if problem.target:  # known labels may come later, as feedback
        check_present("[problem] target", [problem.target], present, needed=problem.needs_target)
    for key, names in definition.columns.named().items():
        check_present(key, names, present)


def _bar(definition: Definition, metric: Metric) -> list[str]:
    problem, limits = definition.problem, definition.constraints
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


def _columns(
    definition: Definition, frame: pd.DataFrame, kinds: dict[str, Inference]
) -> list[dict[str, Any]]:
    columns = definition.columns
    roles = columns.roles() | {definition.problem.target: "target"}
    return [
        {
            "column": name,
            "for": roles.get(name, "input"),
            "kind": kinds[name].kind if name in kinds else None,
            "because it": kinds[name].reason if name in kinds else None,
            "missing, %": 100 * frame[name].isna().mean(),
        }
        for name in frame.columns
    ]


def _validate_rows(definition: Definition, frame: pd.DataFrame) -> ValidationResult:
    _check_slices(definition, frame)
    _check_rows(definition, frame)
    problem = definition.problem
    check_target = of_type("problem", problem.type).check_target
    target = check_target(column_of(frame, problem.target), problem, definition.search.folds)
    split = _split(definition, frame)
    kinds = _kinds(definition, frame)
    task = problem.task(target, len(kinds), len(frame))
    return ValidationResult(task, split, _notes(definition, frame, list(kinds)), kinds)


def _check_slices(definition: Definition, frame: pd.DataFrame) -> None:
    slices, columns = definition.evaluation.slices, definition.columns
    check_present("[evaluation] slices", slices, list(frame.columns))
    for name in slices:
        if name in columns.not_features():
            raise UserError(
                f'[evaluation] slices names "{name}", which stands in [columns] as no input of the '
                "model; only inputs can be sliced by."
            )


def _check_rows(definition: Definition, frame: pd.DataFrame) -> None:
    folds, share = definition.search.folds, definition.split.test_share
    needs_target = definition.problem.needs_target
    labelled = int(frame[definition.problem.target].notna().sum()) if needs_target else len(frame)
    test = int(labelled * share)
    if labelled and (labelled - test <= folds or test < 2):
        plural = "s" if len(frame) > 1 else ""
        with_target = f", {labelled:,} with a target" if needs_target else ""
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
        inferred = Inference("date", "", infer(frame[columns.date]).date_format)
        dates = convert_column(frame[columns.date], inferred, "[columns] date")
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
        return "All rows are learnt from, and all are scored."
    if by == "date":
        return f'Test on the newest {share} of the rows by "{columns.date}" ({span}).'
    if by == "group":
        return f'Test on {share} of the {groups:,} groups "{columns.group}", drawn at random.'
    return f"Test on {share} of the rows, drawn at random."


def _kinds(definition: Definition, frame: pd.DataFrame) -> dict[str, Inference]:
    """Return the kind of each input column, once all its values were checked."""
    columns = definition.columns
    kinds = {}
    for name in frame.columns.difference(definition.not_inputs(), sort=False):
        inferred = infer(frame[name])
        if name in columns.kinds:
            kind, date_format = columns.kinds[name], inferred.date_format
            inferred = Inference(kind, "is set in [columns.kinds]", date_format)
        if inferred.kind in {"number", "date"}:  # anything can be a category or a text
            convert_column(frame[name], inferred, "[columns.kinds]")
        kinds[name] = inferred
    if not any(frame[name].notna().any() for name in kinds):
        raise UserError(
            "No column is left to learn from: each one is empty, the target, or put aside in "
            "[columns]."
        )
    return kinds


def _notes(definition: Definition, frame: pd.DataFrame, inputs: list[str]) -> list[str]:
    """Say what is worth knowing, though nothing has to be done about it."""
    target = definition.problem.target
    unlabelled = int(frame[target].isna().sum()) if definition.problem.needs_target else 0
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
