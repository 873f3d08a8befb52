"""How a source hands over its rows: in chunks, each with what is needed to go on after it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from .provenance import Source


@dataclass(frozen=True)
class Chunk:
    """Some rows, in the order in which the source gives them.

    Attributes
    ----------
    table
        The rows.
    next
        Where the source goes on after them, as JSON; None if it cannot go on in the middle.
    """

    table: pa.Table
    next: Any = None


@dataclass(frozen=True)
class Position:
    """What is stored already, so that a source need not give it again.

    Attributes
    ----------
    since
        The greatest stored value of the column that grows; None if all rows are wanted.
    next
        What the last chunk of an interrupted collection said.
    """

    since: Any = None
    next: Any = None


@dataclass(frozen=True)
class Stream:
    """A source that is ready to be read.

    Attributes
    ----------
    chunks
        Reads on from a position. Rows from `since` on may come again: they replace the stored ones.
    sources
        Where the rows come from; complete once all chunks were read.
    key
        A digest of what decides which rows come. Rows of another key do not belong to them.
    cursor
        The column that grows, if only new rows are wanted.
    own
        Whether the rows are not those that [data] names.
    """

    chunks: Callable[[Position], Iterator[Chunk]]
    sources: list[Source] = field(default_factory=list)
    key: str = ""
    cursor: str = ""
    own: bool = False


def digest(*parts: Any) -> str:
    """Return the SHA-256 of some JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
