"""Write the training rows, the test rows and the schema."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..collection.collect import read_raw
from ..errors import UserError
from ..files import replacing, write_text
from ..problem import TARGET_KIND, TYPE
from ..problem.columns import ConversionError, Inference, convert, describe, infer
from ..problem.definition import Definition
from ..problem.project import Project
from ..report import facts, table, write_card
from .features import add_features
from .schema import Schema
from .split import DATE, GROUP, KEY, take_test


@dataclass(frozen=True)
class Cleaned:
    """The rows that can be learnt from: their target and what the split needs, and the losses."""

    rows: pd.DataFrame
    duplicates: int
    without_target: int


def prepare(project: Project, known: np.ndarray | None = None) -> str:
    """Clean, split and type the raw rows; write train.parquet, test.parquet and schema.json.

    Parameters
    ----------
    project
        Reads its data/raw, writes its data/prepared.
    known : ndarray of uint64, optional
        Keys of rows that must not be in the test set, because a champion was trained on them.

    Returns
    -------
    str
        What was done, in a line.

    Raises
    ------
    UserError
        If a value does not fit its column, or the rows cannot be split.
    """
    definition = project.definition
    raw = read_raw(project)
    cleaned = clean(raw, definition)
    rows = cleaned.rows
    may_test = np.ones(len(rows), bool) if known is None else ~rows[KEY].isin(known).to_numpy()
    test = take_test(rows, definition, may_test)

    kinds = find_kinds(raw.loc[rows.index[~test]], definition)
    inputs = _convert(raw, kinds).loc[rows.index]
    del raw
    features = _checked(add_features(inputs), inputs)
    derived = {
        str(name): kinds.get(str(name)) or infer(features.loc[~test, name]) for name in features
    }
    schema = Schema(
        problem=TYPE,
        target=definition.problem.target,
        inputs=[describe(inputs.loc[~test, n], k.kind, k.date_format) for n, k in kinds.items()],
        features=[describe(features.loc[~test, n], k.kind) for n, k in derived.items()],
        ignored=[definition.problem.target, *definition.columns.not_features()],
    )
    for name, part in {"train": ~test, "test": test}.items():
        with replacing(project.prepared / f"{name}.parquet") as path:
            pd.concat([features[part], rows[part]], axis="columns").to_parquet(path)
    # The schema comes last: where it stands, the rows are whole.
    write_text(project.prepared / "schema.json", schema.model_dump_json(indent=2) + "\n")
    summary = f"{(~test).sum():,} training rows, {test.sum():,} test rows, {len(derived)} features"
    _write_card(project, summary, schema, cleaned, {n: k.reason for n, k in kinds.items()})
    return summary


def clean(raw: pd.DataFrame, definition: Definition) -> Cleaned:
    """Drop rows that are repeated or lack the target, and read the target, date and group.

    Nothing is learnt here from several rows, so it may happen before the split.
    """
    target, columns = definition.problem.target, definition.columns
    rows = pd.DataFrame({KEY: pd.util.hash_pandas_object(raw, index=False)}, index=raw.index)
    try:
        rows[target] = convert(raw[target], TARGET_KIND)
        if columns.date:
            kind = infer(raw[columns.date])
            rows[DATE] = convert(raw[columns.date], "date", kind.date_format)
    except ConversionError as error:
        raise UserError(f"The {error}; correct it where the data comes from.") from None
    if columns.group:
        rows[GROUP] = raw[columns.group].astype("str")
    repeated = rows[KEY].duplicated()
    without_target = rows[target].isna()
    kept = rows[~repeated & ~without_target]
    if columns.date and kept[DATE].isna().any():
        number = kept[DATE].isna().sum()
        raise UserError(
            f'[columns] date "{columns.date}" is missing in {number:,} rows, so they cannot be '
            'split by date; fill it, or set [split] by to "random".'
        )
    return Cleaned(kept, int(repeated.sum()), int((without_target & ~repeated).sum()))


def find_kinds(train: pd.DataFrame, definition: Definition) -> dict[str, Inference]:
    """Return the kind of each input, as defined or else as the training rows tell."""
    left_out = {definition.problem.target, *definition.columns.not_features()}
    kinds = {}
    for name in train.columns:
        if name in left_out:
            continue
        told = infer(train[name])
        kind = definition.columns.kinds.get(name, told.kind)
        kinds[name] = told if kind == told.kind else Inference(kind, "stands in project.toml")
    if not kinds:
        raise UserError(
            f'No column is left to predict "{definition.problem.target}" from; '
            "take some out of the lists in [columns]."
        )
    return kinds


def _convert(raw: pd.DataFrame, kinds: dict[str, Inference]) -> pd.DataFrame:
    inputs = {}
    for name, told in kinds.items():
        try:
            inputs[name] = convert(raw[name], told.kind, told.date_format)
        except ConversionError as error:
            raise UserError(
                f"The {error}; correct it, name it in [data] missing, or set "
                f'[columns.kinds] "{name}" to another kind.'
            ) from None
    return pd.DataFrame(inputs)


def _checked(features: pd.DataFrame, inputs: pd.DataFrame) -> pd.DataFrame:
    """Refuse features that a model cannot take, with a sentence that names the place."""
    place = "add_features in preparation/features.py"
    if not isinstance(features, pd.DataFrame) or not features.index.equals(inputs.index):
        raise UserError(f"{place} must return a DataFrame with the rows it was given, in order.")
    numbers = features.select_dtypes("number")
    infinite = numbers.columns[np.isinf(numbers).any()]
    if len(infinite):
        raise UserError(f'{place} makes infinite values in "{infinite[0]}"; a division by zero?')
    return features


def _write_card(
    project: Project, summary: str, schema: Schema, cleaned: Cleaned, reasons: dict[str, str]
) -> None:
    definition = project.definition
    columns = [
        {"column": c.name, "kind": c.kind, "why": reasons[c.name], "always there": c.required}
        for c in schema.inputs
    ]
    inputs = {c.name for c in schema.inputs}
    added = ", ".join(c.name for c in schema.features if c.name not in inputs)
    losses = {
        "repeated rows left out": cleaned.duplicates,
        "rows without target left out": cleaned.without_target,
        "split": f"by {definition.split_by()}, {definition.split.test_share:.0%} for the test",
        "features added": added or "none",
        "not given to the model": ", ".join(schema.ignored),
    }
    write_card(project.reports, "prepare", summary, facts(losses), table(columns))
