"""Raw rows become training rows, test rows and a schema."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import UserError
from ..files import release_memory
from ..problem.columns import ConversionError, Inference, column_of, convert, describe, infer
from ..problem.definition import Definition
from ..problem.keys import row_keys
from .features import AddFeatures, check_finite, make_features
from .schema import DATE, GROUP, KEY, Prepared, Schema, TrainedOn
from .split import TakeTest, newest_rows


def prepare_rows(
    raw: pd.DataFrame,
    definition: Definition,
    take_test: TakeTest,
    add_features: AddFeatures,
    trained_on: TrainedOn | None,
) -> Prepared:
    """Drop what cannot be used, split, type and make features; see `prepare`.

    The inputs are taken out of `raw` one by one, so that they are not in memory twice.
    """
    eligible = find_eligible(raw, definition)
    rows = newest_rows(eligible.rows, definition)
    may_test = np.ones(len(rows), bool) if trained_on is None else ~trained_on(raw.loc[rows.index])
    test = np.asarray(take_test(raw.loc[rows.index].assign(**rows), definition, may_test))
    if test.dtype != bool or len(test) != len(rows) or not test.any():
        raise UserError(
            "take_test in preparation/split.py must return True or False for each of the "
            f"{len(rows):,} rows, and True for some."
        )
    train = np.ones(len(rows), bool) if test.all() else ~test

    kinds = _infer_kinds(raw, rows.index[train], definition)
    inputs = _take_inputs(raw, rows.index, kinds)
    release_memory()
    features = check_finite(make_features(inputs, add_features))
    made = {
        str(name): kinds.get(str(name)) or infer(features.loc[train, name]) for name in features
    }
    schema = Schema(
        problem=definition.problem.type,
        target=definition.problem.target,
        inputs=[describe(inputs.loc[train, n], k.kind, k.date_format) for n, k in kinds.items()],
        features=[describe(features.loc[train, n], k.kind) for n, k in made.items()],
        ignored=definition.not_inputs(),
    )
    parts = f"{train.sum():,} training rows, {test.sum():,} test rows"
    if train.all():
        parts = f"{train.sum():,} rows for training and test alike"
    older = len(eligible.rows) - len(rows)
    summary = ", ".join(
        [
            f"{parts}, {len(made)} features",
            *(
                [f"rows left out as repetitions: {eligible.repeated:,}"]
                if eligible.repeated
                else []
            ),
            *([f"older rows not used: {older:,}"] if older else []),
        ]
    )
    by, share = definition.split_by(), definition.split.test_share
    losses = {
        "repeated rows left out": eligible.repeated,
        "rows without target left out": eligible.without_target,
        "split": by if by == "none" else f"by {by}, {share:.0%} for the test",
    }
    reasons = {name: inferred.reason for name, inferred in kinds.items()}
    return Prepared(features, rows, train, test, schema, summary, losses, reasons)


@dataclass(frozen=True)
class Eligible:
    """The rows that can be used, each with its target, date, group and key; and how many cannot."""

    rows: pd.DataFrame
    repeated: int
    without_target: int


def find_eligible(raw: pd.DataFrame, definition: Definition) -> Eligible:
    """Leave out rows that repeat another one or lack the target; read target, date and group.

    Nothing is fitted here to several rows, so it may happen before the split.
    """
    problem, columns = definition.problem, definition.columns
    rows = pd.DataFrame({KEY: row_keys(raw)})
    try:
        if problem.target in raw.columns:
            values = convert(raw[problem.target], problem.target_kind)
            rows[problem.target] = problem.as_target(values)
        if columns.date:
            dates = raw[columns.date]
            rows[DATE] = convert(dates, "date", infer(dates).date_format)
    except ConversionError as error:
        raise UserError(f"The {error}; correct it where the data comes from.") from None
    if columns.group:
        rows[GROUP] = raw[columns.group].astype("str")
    repeated = rows[KEY].duplicated()
    without_target = column_of(rows, problem.target).isna() & problem.needs_target
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
    return Eligible(kept, int(repeated.sum()), int((without_target & ~repeated).sum()))


def _infer_kinds(
    raw: pd.DataFrame, train: pd.Index, definition: Definition
) -> dict[str, Inference]:
    """Return the kind of each input, as defined or else as inferred from the training rows."""
    kinds = {}
    for name in raw.columns.difference(definition.not_inputs(), sort=False):
        inferred = infer(raw.loc[train, name])
        kind = definition.columns.kinds.get(name, inferred.kind)
        stated = Inference(kind, "is set in project.toml")
        kinds[name] = inferred if kind == inferred.kind else stated
    if not kinds:
        raise UserError("No column is left to learn from; take some out of the lists in [columns].")
    return kinds


def _take_inputs(raw: pd.DataFrame, kept: pd.Index, kinds: dict[str, Inference]) -> pd.DataFrame:
    inputs = {}
    for name, inferred in kinds.items():
        try:
            values = convert(raw.pop(name), inferred.kind, inferred.date_format)
        except ConversionError as error:
            raise UserError(
                f"The {error}; correct it, name it in [data] missing, or set "
                f'[columns.kinds] "{name}" to another kind.'
            ) from None
        inputs[name] = values.loc[kept]
    return pd.DataFrame(inputs, copy=False)
