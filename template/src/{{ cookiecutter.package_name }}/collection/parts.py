"""Read a table of any size part by part, with the types that it has as a whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
from fsspec.utils import infer_compression

from ..errors import UserError
from ..files import file_digest
from ..problem.columns import labels
from .delimited import delimited_parts
from .formats import DAMAGED, MISSING, blank, parquet_parts, plain
from .names import UnreadableError
from .tables import local_copies, read_tables

ROWS = 50_000  # in a part of Parquet, or of what has to be read whole
DELIMITED = (".csv", ".tsv", ".txt")
TEXT = "str"


@dataclass(frozen=True)
class Parts:
    """A table in parts.

    Attributes
    ----------
    digest
        Of all that it was read from; the same digest means the same parts.
    rows
        How many it has in all.
    frames
        The parts, in order.
    """

    digest: str
    rows: int
    frames: Iterator[pd.DataFrame]


@contextmanager
def open_parts(path: str, root: Path, missing: Sequence[str] = ()) -> Iterator[Parts]:
    """Open a table to read it in parts; what `path` may be, says `read_tables`.

    One file of CSV or Parquet is never whole in memory; anything else is.

    Raises
    ------
    UserError
        If nothing is there or it cannot be read, now or while the parts are read.
    """
    with local_copies(path, root) as files:
        name, file = next(files)
        if _suffix(file) in (*DELIMITED, ".parquet") and not any(sign in path for sign in "*?["):
            yield _stream(name, file, missing)
            return
    collection = read_tables(path, root, missing)
    frame = collection.frame
    digest = " ".join(source.sha256 for source in collection.sources)
    starts = range(0, len(frame), ROWS)
    yield Parts(digest, len(frame), (frame.iloc[start : start + ROWS] for start in starts))


def _stream(name: str, file: Path, missing: Sequence[str]) -> Parts:
    """Read a file twice: to tell the types of its columns, and then its parts."""
    kinds: dict[str, Any] = {}
    rows = 0
    for frame in _read(name, file, missing, ()):
        rows += len(frame)
        for column, values in frame.items():
            kinds[column] = _common(kinds.get(column, values.dtype), values.dtype)
    if not rows:
        raise UserError(f"{name} has no rows.")
    texts = [column for column, kind in kinds.items() if kind == TEXT]
    frames = (_with_kinds(frame, kinds) for frame in _read(name, file, missing, texts))
    return Parts(file_digest(file), rows, frames)


def _read(
    name: str, file: Path, missing: Sequence[str], texts: Sequence[str]
) -> Iterator[pd.DataFrame]:
    try:
        with fsspec.open(str(file), "rb", compression=infer_compression(file.name)) as stream:
            if _suffix(file) == ".parquet":
                frames = parquet_parts(stream, ROWS)
            else:
                frames = delimited_parts(stream, [*MISSING, *missing], texts)
            for frame in frames:
                yield plain(blank(frame, missing))
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


def _with_kinds(frame: pd.DataFrame, kinds: dict[str, Any]) -> pd.DataFrame:
    changed = {
        name: labels(values) if kinds[name] == TEXT else values.astype(kinds[name])
        for name, values in frame.items()
        if values.dtype != kinds[name]
    }
    return frame.assign(**changed) if changed else frame
