"""How a source hands over its rows: table after table, all of them or those since a value."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from .provenance import Source


@dataclass(frozen=True)
class Stream:
    """A source that is ready to be read.

    Attributes
    ----------
    read : callable
        Yields tables of rows. Its argument is the greatest stored value of `cursor`, or None if all
        rows are wanted. Rows from there on may come again: they replace the stored ones.
    sources : list of Source
        Where the rows come from; complete once all tables were read.
    key : str
        A digest of what decides which rows come. Rows of another key do not belong to them.
    cursor : str
        The column that only grows, for an incremental load; "" if all rows are read each time.
    own : bool
        Whether the rows are not those that ``[data]`` names.

    Examples
    --------
    >>> import pyarrow as pa
    >>> stream = Stream(lambda since: iter([pa.table({"n": [1, 2]})]))
    >>> [table.num_rows for table in stream.read(None)]
    [2]
    """

    read: Callable[[Any], Iterator[pa.Table]]
    sources: list[Source] = field(default_factory=list)
    key: str = ""
    cursor: str = ""
    own: bool = False


def digest(*parts: Any) -> str:
    """Return the SHA-256 of some JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
