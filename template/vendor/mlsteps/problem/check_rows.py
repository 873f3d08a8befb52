"""Check rows against the definition: whether there are enough, and what each column is."""

import pandas as pd

from ..errors import UserError
from ..variants import of_type
from .columns import Inference, column_of, infer
from .definition import Definition
from .values import Looked, check_present, fitting


def look(definition: Definition, frame: pd.DataFrame) -> Looked:
    """Check what the definition says of rows.

    Raises
    ------
    UserError
        If the target cannot be learnt, values do not fit, or there are too few rows, groups or
        dates.
    """
    _check_slices(definition, frame)
    _check_rows(definition, frame)
    problem = definition.problem
    check_target = of_type("problem", problem.type).check_target
    target = check_target(column_of(frame, problem.target), problem, definition.search.folds)
    split = _split(definition, frame)
    kinds = _kinds(definition, frame)
    task = problem.task(target, len(kinds), len(frame))
    return Looked(task, [split], _notes(definition, frame, list(kinds)), kinds)


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
        told = Inference("date", "", infer(frame[columns.date]).date_format)
        dates = fitting(frame[columns.date], told, "[columns] date")
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
            fitting(frame[name], told, "[columns.kinds]")
        kinds[name] = told
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
