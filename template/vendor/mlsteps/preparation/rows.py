"""Rows become training rows, test rows and a schema."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import UserError
from ..files import release_memory
from ..problem.columns import ConversionError, Inference, column_of, convert, describe, infer
from ..problem.definition import Definition
from ..problem.keys import row_keys
from ..variants import of_type
from .features import AddFeatures, check_finite, make_features
from .schema import DATE, GROUP, KEY, Prepared, Schema, TrainedOn
from .split import TakeTest, newest


@dataclass(frozen=True)
class Cleaned:
    """The rows that can be learnt from: a target and what the split needs, and the losses."""

    rows: pd.DataFrame
    duplicates: int
    without_target: int


def prepare_rows(
    raw: pd.DataFrame,
    definition: Definition,
    take_test: TakeTest,
    add_features: AddFeatures,
    learnt: TrainedOn | None,
) -> Prepared:
    """Clean, type and split rows.

    Parameters
    ----------
    raw
        The rows as collected. Its inputs are taken out one by one, so that they are not in memory
        twice.
    take_test, add_features
        The project's own.
    learnt
        Tells which raw rows must not be in the test set, because a champion was trained on them.

    Raises
    ------
    UserError
        If a value does not fit its column, or the rows cannot be split.
    """
    cleaned = clean(raw, definition)
    check_left(cleaned, definition)
    rows = newest(cleaned.rows, definition)
    may_test = np.ones(len(rows), bool) if learnt is None else ~learnt(raw.loc[rows.index])
    test = take_test(rows, definition, may_test)
    train = np.ones(len(rows), bool) if test.all() else ~test

    kinds = find_kinds(raw, rows.index[train], definition)
    inputs = _take_inputs(raw, rows.index, kinds)
    release_memory()
    features = check_finite(make_features(inputs, add_features))
    derived = {
        str(name): kinds.get(str(name)) or infer(features.loc[train, name]) for name in features
    }
    schema = Schema(
        problem=definition.problem.type,
        target=definition.problem.target,
        inputs=[describe(inputs.loc[train, n], k.kind, k.date_format) for n, k in kinds.items()],
        features=[describe(features.loc[train, n], k.kind) for n, k in derived.items()],
        ignored=definition.not_inputs(),
    )
    parts = f"{train.sum():,} training rows, {test.sum():,} test rows"
    if train.all():
        parts = f"{train.sum():,} rows, learnt from and judged"
    summary = f"{parts}, {len(derived)} features"
    if cleaned.duplicates:
        summary += f", rows left out as repetitions: {cleaned.duplicates:,}"
    if len(rows) < len(cleaned.rows):
        summary += f", older rows not used: {len(cleaned.rows) - len(rows):,}"
    losses = {
        "repeated rows left out": cleaned.duplicates,
        "rows without target left out": cleaned.without_target,
        "split": _split(definition),
    }
    reasons = {name: told.reason for name, told in kinds.items()}
    return Prepared(features, rows, train, test, schema, summary, losses, reasons)


def _split(definition: Definition) -> str:
    by = definition.split_by()
    return by if by == "none" else f"by {by}, {definition.split.test_share:.0%} for the test"


def clean(raw: pd.DataFrame, definition: Definition) -> Cleaned:
    """Drop rows that are repeated or lack the target, and read the target, date and group.

    Nothing is learnt here from several rows, so it may happen before the split.
    """
    target, columns = definition.problem.target, definition.columns
    rows = pd.DataFrame({KEY: row_keys(raw)})
    try:
        if target in raw.columns:
            rows[target] = definition.problem.as_target(convert(raw[target], definition.problem.target_kind))
        if columns.date:
            kind = infer(raw[columns.date])
            rows[DATE] = convert(raw[columns.date], "date", kind.date_format)
    except ConversionError as error:
        raise UserError(f"The {error}; correct it where the data comes from.") from None
    if columns.group:
        rows[GROUP] = raw[columns.group].astype("str")
    repeated = rows[KEY].duplicated()
    without_target = column_of(rows, target).isna() & definition.problem.needs_target
    kept = rows[~repeated & ~without_target]
    if columns.date and kept[DATE].isna().any():
        number = kept[DATE].isna().sum()
        raise UserError(
            f'[columns] date "{columns.date}" is missing in {number:,} rows, so they cannot be '
            'split by date; fill it, or set [split] by to "random".'
        )
    if columns.group and kept[GROUP].isna().any():
        number = kept[GROUP].isna().sum()
        raise UserError(
            f'[columns] group "{columns.group}" is missing in {number:,} rows; fill it, or give '
            "each of them a group of its own."
        )
    return Cleaned(kept, int(repeated.sum()), int((without_target & ~repeated).sum()))


def check_left(cleaned: Cleaned, definition: Definition) -> None:
    """Check that the rows without repetitions are still enough to learn from.

    Raises
    ------
    UserError
        If the target has too few rows, or too few of a class.
    """
    if not cleaned.duplicates:
        return  # then `define` has checked the same rows
    problem, folds = definition.problem, definition.search.folds
    try:
        check_target = of_type("problem", problem.type).check_target
        check_target(column_of(cleaned.rows, problem.target), problem, folds)
    except UserError as error:
        raise UserError(
            f"{cleaned.duplicates:,} rows repeat another one, so {len(cleaned.rows):,} are left to "
            f"learn from, which is not enough. {error.message} If equal rows are different "
            "things, give each a number in a column of its own and name it in [columns] id."
        ) from None


def find_kinds(raw: pd.DataFrame, train: pd.Index, definition: Definition) -> dict[str, Inference]:
    """Return the kind of each input, as defined or else as the training rows tell."""
    kinds = {}
    for name in raw.columns.difference(definition.not_inputs(), sort=False):
        told = infer(raw.loc[train, name])
        kind = definition.columns.kinds.get(name, told.kind)
        kinds[name] = told if kind == told.kind else Inference(kind, "stands in project.toml")
    if not kinds:
        raise UserError("No column is left to learn from; take some out of the lists in [columns].")
    return kinds


def _take_inputs(raw: pd.DataFrame, kept: pd.Index, kinds: dict[str, Inference]) -> pd.DataFrame:
    inputs = {}
    for name, told in kinds.items():
        try:
            inputs[name] = convert(raw.pop(name), told.kind, told.date_format).loc[kept]
        except ConversionError as error:
            raise UserError(
                f"The {error}; correct it, name it in [data] missing, or set "
                f'[columns.kinds] "{name}" to another kind.'
            ) from None
    return pd.DataFrame(inputs, copy=False)
