"""Read a table of any size part by part, with the types that it has as a whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
from fsspec.utils import infer_compression

from ..errors import UserError
from ..files import file_digest
from ..problem.columns import labels
from .delimited import delimited_parts
from .formats import DAMAGED, MISSING, blank, parquet_parts, plain, to_frame
from .names import UnreadableError
from .tables import local_copies, read_tables

ROWS = 50_000  # in a part of Parquet, or of what has to be read whole
DELIMITED = (".csv", ".tsv", ".txt")
TEXT = "str"
TYPES = [pa.int64(), pa.float64(), pa.string()]  # of columns of CSV, each wider than the one before


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    Attributes
    ----------
    given
        As they were read; missing is what `frame` has as missing.
    frame
        As `collect` would give them to training.
    """

    given: pa.Table
    frame: pd.DataFrame


@dataclass(frozen=True)
class Parts:
    """A table in parts.

    Attributes
    ----------
    digest
        Of all that it was read from; the same digest means the same parts.
    rows
        How many it has in all.
    parts
        In order.
    """

    digest: str
    rows: int
    parts: Iterator[Part]


@contextmanager
def open_parts(path: str, root: Path, missing: Sequence[str] = ()) -> Iterator[Parts]:
    """Open a table to read it in parts; what `path` may be, says `read_tables`.

    One file of CSV or Parquet is never whole in memory; anything else is.
    """
    with local_copies(path, root) as files:
        name, file = next(files)
        if _suffix(file) in (*DELIMITED, ".parquet") and not any(sign in path for sign in "*?["):
            yield _stream(name, file, missing)
            return
    collection = read_tables(path, root, missing)
    frame = collection.frame
    digest = " ".join(source.sha256 for source in collection.sources)
    frames = (frame.iloc[start : start + ROWS] for start in range(0, len(frame), ROWS))
    given = pa.Schema.from_pandas(frame, preserve_index=False)
    parts = (Part(pa.Table.from_pandas(rows, given), rows) for rows in frames)
    yield Parts(digest, len(frame), parts)


def _stream(name: str, file: Path, missing: Sequence[str]) -> Parts:
    """Read a file twice: to tell the types of its columns, and then its parts."""
    types: dict[str, pa.DataType] = {}
    kinds: dict[str, Any] = {}
    rows = 0
    for part in _read(name, file, missing, ()):
        rows += len(part.frame)
        for field in part.given.schema:
            types[field.name] = _wider(types.get(field.name, field.type), field.type)
        for column, values in part.frame.items():
            kinds[column] = _common(kinds.get(column, values.dtype), values.dtype)
    if not rows:
        raise UserError(f"{name} has no rows.")
    texts = [column for column, kind in kinds.items() if kind == TEXT]
    parts = (
        Part(_with_types(part.given, types), _with_kinds(part.frame, kinds))
        for part in _read(name, file, missing, texts)
    )
    return Parts(file_digest(file), rows, parts)


def _read(name: str, file: Path, missing: Sequence[str], texts: Sequence[str]) -> Iterator[Part]:
    try:
        with fsspec.open(str(file), "rb", compression=infer_compression(file.name)) as stream:
            if _suffix(file) == ".parquet":
                tables = parquet_parts(stream, ROWS)
            else:
                tables = delimited_parts(stream, [*MISSING, *missing], texts)
            for table in tables:
                frame = plain(blank(to_frame(table), missing))
                yield Part(_blanked(table, frame), frame)
    except UnreadableError as error:
        raise UserError(f"{name} {error}.") from None
    except DAMAGED as error:
        raise UserError(f"{name} is damaged or cut off ({error}).") from None


def _suffix(file: Path) -> str:
    return (Path(file.stem) if infer_compression(file.name) else file).suffix.lower()


def _common(one: Any, other: Any) -> Any:
    """Return the type that both parts of a column fit in."""
    if one == other:
        return one
    numbers = all(kind.kind in "iuf" for kind in (one, other) if kind != TEXT)
    return np.promote_types(one, other) if numbers and TEXT not in (one, other) else TEXT


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that both parts of a column fit in; only those of CSV differ."""
    return one if one == other else max(one, other, key=TYPES.index)


def _with_types(table: pa.Table, types: dict[str, pa.DataType]) -> pa.Table:
    fields = [field.with_type(types[field.name]) for field in table.schema]
    return table.cast(pa.schema(fields, table.schema.metadata))


def _blanked(table: pa.Table, frame: pd.DataFrame) -> pa.Table:
    """Make missing in `table` what is missing in `frame`."""
    for place, field in enumerate(table.schema):
        absent, column = frame[field.name].isna(), table[place]
        if absent.sum() > column.null_count:
            kept = pa.array(np.arange(len(table)), mask=absent.to_numpy())
            table = table.set_column(place, field, column.take(kept))
    return table


def _with_kinds(frame: pd.DataFrame, kinds: dict[str, Any]) -> pd.DataFrame:
    changed = {
        name: labels(values) if kinds[name] == TEXT else values.astype(kinds[name])
        for name, values in frame.items()
        if values.dtype != kinds[name]
    }
    return frame.assign(**changed) if changed else frame
