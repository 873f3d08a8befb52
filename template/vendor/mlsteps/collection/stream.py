"""What a source is: tables of rows one after another, and what is known of where they came from."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from ..environment import masked
from ..report import counted

SAID = 5  # files of which it is said what was left out

# What `Source` has of a file from its note on, and some of its rows.
NotedTables: TypeAlias = Iterator[tuple[tuple[str, ...], pa.Table]]


@dataclass(frozen=True)
class Source:
    """One file, query or page that rows came from, as provenance.json has it."""

    name: str  # where it is, without any secret
    sha256: str = ""  # of its bytes, if it has such
    rows: int | None = None  # None for all
    note: str = ""  # how it was read
    left_out: str = ""  # what of it is no row
    doubt: str = ""  # about how it was read
    decimal: str = ""  # the sign of its numbers; "" where it does not matter
    delimiter: str = ""
    encoding: str = ""
    licence: str = ""
    citation: str = ""


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
    name : str
        What the sources are called together; "" for the name of the first.

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
    name: str = ""

    def title(self) -> str:
        """Return what the sources are called together."""
        return self.name or self.sources[0].name


def decimal_of(sources: Sequence[Source]) -> str:
    """Return the decimal sign of the first file that has one."""
    return next((source.decimal for source in sources if source.decimal), "")


def left_out(sources: Sequence[Source]) -> list[str]:
    """Say what was left out of files, a sentence each for the first of them."""
    said = [f"{each.name}: left out {each.left_out}." for each in sources if each.left_out]
    said += [f"{each.name} {each.doubt}." for each in sources if each.doubt]
    more = counted(len(said) - SAID, "more file")
    return said[:SAID] + ([f"Rows were left out of {more}."] if len(said) > SAID else [])


def digest(*parts: Any) -> str:
    """Return the SHA-256 of some JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def without_secrets(text: str) -> str:
    """Take user names, passwords and query strings, which hold keys, out of the URLs in `text`."""
    text = re.sub(r"(?<=://)[^/\s'\"]*@", "", text)
    return re.sub(r"(://[^\s?#'\"]*)[?#][^\s'\"):]*", r"\1", text)


def quoted(text: str) -> str:
    """Return what a server said, without the secrets that it may have repeated."""
    return without_secrets(masked(text))
