"""Raw rows become training rows, test rows and a schema."""

import numpy as np
import pandas as pd

from ..errors import UserError
from ..files import release_memory
from ..problem.columns import ConversionError, Kinds, column_of, convert, describe, doubts, infer
from ..problem.definition import Definition
from ..problem.eligible import DATE, find_repetitions, newest_rows
from ..problem.keys import numbered, row_keys
from ..problem.settings import Columns
from ..report import counted
from .features import AddFeatures, check_finite, feature_kind, make_features
from .schema import ALIKE, EQUAL, GROUP, KEY, Prepared, Schema, TrainedOn
from .split import TakeTest

DIFFER = 0.1  # of the usual share of pairs with unequal targets: more of them are no repetitions
KEPT = 'equal rows kept (set [preparation] repetitions: "drop" if they came twice, "keep" if not)'


def prepare_rows(
    raw: pd.DataFrame,
    definition: Definition,
    take_test: TakeTest,
    add_features: AddFeatures,
    trained_on: TrainedOn | None,
) -> Prepared:
    """Drop what cannot be used, split, type and make features; see `prepare`."""
    eligible, losses = find_eligible(raw, definition)
    rows = newest_rows(eligible, definition)
    losses["older rows not used"] = len(eligible) - len(rows)
    known = np.zeros(len(raw), bool) if trained_on is None else trained_on(raw)
    may_test = ~pd.Series(known, raw.index)[rows.index].to_numpy()
    test = np.asarray(take_test(raw.loc[rows.index].assign(**rows), definition, may_test))
    if test.dtype != bool or len(test) != len(rows) or not test.any():
        raise UserError(
            "take_test in preparation/split.py must return True or False for each of the "
            f"{len(rows):,} rows, and True for some."
        )
    train = np.ones(len(rows), bool) if test.all() else ~test

    inputs, kinds = _take_inputs(raw, rows.index, train, definition)
    features = check_finite(make_features(inputs, add_features))
    made = {str(n): feature_kind(features.loc[train, n], inputs, kinds) for n in features}
    target, kind = column_of(raw, definition.problem.target), definition.problem.target_kind
    schema = Schema(
        problem=definition.problem.type,
        target=definition.problem.target,
        decimal=definition.data.decimal,
        target_written=infer(target, kind, definition.data.decimal).written,
        inputs=[describe(inputs.loc[train, n], k.kind, k.written) for n, k in kinds.items()],
        features=[describe(features.loc[train, n], k.kind) for n, k in made.items()],
        ignored=definition.not_inputs(),
    )
    parts = f"{counted(train.sum(), 'training row')}, {counted(test.sum(), 'test row')}"
    if train.all():
        parts = f"{train.sum():,} rows for training and test alike"
    lost = "".join(f", {what}: {count:,}" for what, count in losses.items() if count)
    by, share = definition.split_by(), definition.split.test_share
    return Prepared(
        features,
        rows,
        train,
        test,
        schema,
        "; ".join([f"{parts}, {counted(len(made), 'feature')}{lost}", *doubts(kinds)]),
        {**losses, "split": by if by == "none" else f"by {by}, {share:.0%} for the test"},
        {name: inferred.reason for name, inferred in kinds.items()},
    )


def how_written(raw: pd.DataFrame, definition: Definition) -> dict[str, str]:
    """Return how the target and the date are written in raw rows, by the name of the column."""
    target, date = definition.problem.target, definition.columns.date
    written = {}
    if target in raw.columns:
        kind = definition.problem.target_kind
        written[target] = infer(raw[target], kind, definition.data.decimal).written
    if date:
        written[date] = infer(raw[date], definition.columns.date_written()).written
    return written


def find_eligible(
    raw: pd.DataFrame, definition: Definition, written: dict[str, str] | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return target, date, group and key of the rows that can be used, and how many cannot.

    Nothing is fitted here to several rows, so it may happen before the split.
    """
    written = how_written(raw, definition) if written is None else written
    problem, columns = definition.problem, definition.columns
    inputs = row_keys(raw, raw.columns.difference(definition.not_inputs(), sort=False))
    keys = inputs + row_keys(raw, raw.columns.intersection(definition.not_inputs()))
    rows = pd.DataFrame({KEY: numbered(keys)})
    try:
        if problem.target in raw.columns:
            values = convert(raw[problem.target], problem.target_kind, written[problem.target])
            rows[problem.target] = problem.as_target(values)
        if columns.date:
            rows[DATE] = convert(raw[columns.date], "date", written[columns.date])
    except ConversionError as error:
        raise UserError(f"The {error}; correct it where the data comes from.") from None
    if columns.group:
        rows[GROUP] = raw[columns.group].astype("str")
    repeated = find_repetitions(raw, definition)
    unlabelled = ~repeated & column_of(rows, problem.target).isna() & problem.needs_target
    kept = rows[~repeated & ~unlabelled]
    how, plain = definition.preparation.repetitions, definition.split_by() in ("random", "none")
    inputs = inputs[kept.index]
    if plain and how != "keep" and not columns.id and inputs.duplicated().any():
        kept = kept.assign(**{ALIKE: inputs})  # they may be one thing, and nothing tells
    equal = keys[kept.index].duplicated()
    if how == "auto" and equal.any() and _came_twice(inputs, kept.get(problem.target)):
        kept = kept.assign(**{EQUAL: keys[kept.index]})
    _check_complete(kept, columns)
    losses = {
        "repeated rows left out": int(repeated.sum()),
        "rows without target left out": int(unlabelled.sum()),
        KEPT: int(equal.sum()) if how == "auto" else 0,
    }
    return kept, losses


def _came_twice(inputs: pd.Series, target: pd.Series | None) -> bool:
    """Return whether equal rows look like repetitions: then equal inputs have equal targets.

    Different things of which the same is known differ in the target nearly as often as any two.
    """
    if target is None or target.isna().any():
        return True
    frame = pd.DataFrame({"inputs": inputs, "target": target})
    counts = [frame.value_counts(by) for by in (["inputs"], ["inputs", "target"], ["target"])]
    alike, equal, usual = (float((n * (n - 1)).sum()) for n in counts)  # pairs of rows
    return 1 - equal / alike < DIFFER * (1 - usual / (len(frame) * (len(frame) - 1)))


def _check_complete(rows: pd.DataFrame, columns: Columns) -> None:
    for key, name, column in (("date", columns.date, DATE), ("group", columns.group, GROUP)):
        missing = rows[column].isna().sum() if name else 0
        if missing:
            raise UserError(
                f'[columns] {key} "{name}" is missing in {counted(missing, "row")}; fill it, or '
                "take it out of [columns]."
            )


def _take_inputs(
    raw: pd.DataFrame, kept: pd.Index, train: np.ndarray, definition: Definition
) -> tuple[pd.DataFrame, Kinds]:
    """Type each input as it is defined, or else as the training rows suggest.

    They are taken out of `raw` one by one, so that they are not in memory twice.
    """
    inputs, kinds = {}, {}
    for name in raw.columns.difference(definition.not_inputs(), sort=False):
        stated = definition.columns.kinds.get(name, "")
        inferred = infer(raw.loc[kept[train], name], stated, definition.data.decimal)
        if inferred.kind == "date":  # how it is written, all rows tell best
            inferred = infer(raw[name], stated or "date")
        try:
            inputs[name] = convert(raw.pop(name), inferred.kind, inferred.written).loc[kept]
        except ConversionError as error:
            raise UserError(
                f"The {error}; correct it, name it in [data] missing, or set "
                f'[columns.kinds] "{name}" to another kind.'
            ) from None
        kinds[name] = inferred
    if not kinds:
        raise UserError("No column is left to learn from; take some out of the lists in [columns].")
    release_memory()
    return pd.DataFrame(inputs, copy=False), kinds
