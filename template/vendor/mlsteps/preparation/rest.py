"""Prepare the rows outside of the sample as those of the sample were, in parts that fit in memory.

Each part is a draw from all of them, so that what is learnt from one holds for the others.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ..errors import UserError
from ..files import release_memory, replacing
from ..problem.columns import ConversionError
from ..problem.definition import Definition
from ..problem.eligible import counted_once
from ..problem.keys import row_keys
from ..problem.sample import Sample
from .features import AddFeatures, check_finite, make_features
from .rows import find_eligible
from .schema import ALIKE, EQUAL, KEY, Schema

FOLDER = "rest"  # in data/prepared
MOST_PARTS = 20  # a prediction asks as many models


def keys_of_sample(raw: pd.DataFrame, definition: Definition) -> np.ndarray:
    """Return the keys of rows in the sample, which none outside may have, see `_alike`."""
    if definition.preparation.repetitions == "keep" or definition.columns.group:
        return np.empty(0, "uint64")  # different things; and groups are outside as a whole
    return np.unique(_alike(raw, definition))


def prepare_rest(
    prepared: Path,
    rest: Iterable[pd.DataFrame],
    sample: Sample,
    definition: Definition,
    schema: Schema,
    add_features: AddFeatures,
    written: dict[str, str],
    known: np.ndarray,
) -> int:
    """Write the rows outside of the sample into parts, where there are none; return how many.

    `written` and `known` are what `how_written` and `keys_of_sample` have found in the sample.
    """
    kept, seen = 0, np.empty(0, "uint64")
    types = parquet.read_schema(prepared / "train.parquet").remove_metadata()
    types = pa.schema(field for field in types if field.name in _names(schema, types.names))
    number = int(np.clip(sample.collected / sample.rows - 1, 1, MOST_PARTS))
    with replacing(prepared / FOLDER) as temporary, ExitStack() as stack:
        temporary.mkdir(0o700)
        paths = [temporary / f"{k:02d}.parquet" for k in range(number)]
        writers = [stack.enter_context(parquet.ParquetWriter(path, types)) for path in paths]
        for raw in rest:
            rows = _prepare(raw, definition, schema, add_features, written, known)
            once = counted_once(raw, definition)[rows.index]
            if once.any():  # also where the others came in another part of the rows
                rows = rows[~(once & np.isin(rows[KEY], seen))]
                seen = np.concatenate([seen, rows[KEY].to_numpy("uint64")])
            place = rows[KEY].to_numpy("uint64") % np.uint64(number)
            for k, writer in enumerate(writers):
                part = rows.loc[place == k, types.names]
                if len(part):
                    writer.write_table(pa.Table.from_pandas(part, types, preserve_index=False))
            kept += len(rows)
        stack.close()  # before the folder gets its name
    release_memory()
    return kept


def _names(schema: Schema, names: list[str]) -> set[str]:
    """Return the columns of prepared rows that are wanted of the others."""
    features = {column.name for column in schema.features}
    return features | {n for n in names if n.startswith(" ")} - {ALIKE, EQUAL} | {schema.target}


def _prepare(
    raw: pd.DataFrame,
    definition: Definition,
    schema: Schema,
    add_features: AddFeatures,
    written: dict[str, str],
    known: np.ndarray,
) -> pd.DataFrame:
    new = raw[~np.isin(_alike(raw, definition), known)] if len(known) else raw
    eligible, _ = find_eligible(new, definition, written)
    try:
        inputs = schema.conform(new.loc[eligible.index])
    except ConversionError as error:
        raise UserError(
            f"Outside of the sample, the {error}; correct it, name it in [data] missing, or set "
            "[split] all_rows to false."
        ) from None
    return pd.concat([check_finite(make_features(inputs, add_features)), eligible], axis="columns")


def _alike(raw: pd.DataFrame, definition: Definition) -> np.ndarray:
    """Return keys, the same for rows that may be one thing: as in a split, by inputs if need be."""
    columns = raw.columns
    if not definition.columns.id and definition.split_by() == "random":
        columns = columns.difference(definition.not_inputs(), sort=False)
    return row_keys(raw, columns).to_numpy()
