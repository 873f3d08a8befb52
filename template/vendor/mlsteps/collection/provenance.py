"""What a source hands over, and what is remembered about where it came from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..environment import masked


@dataclass(frozen=True)
class Source:
    """One file, query or page that rows came from.

    Attributes
    ----------
    name
        Where it is, without any secret.
    sha256
        The digest of its bytes in hexadecimal; "" if it has none of its own.
    rows
        How many rows it gave; None for all.
    note
        How it was read, in words.
    licence, citation
        What its publisher asks for.
    """

    name: str
    sha256: str = ""
    rows: int | None = None
    note: str = ""
    licence: str = ""
    citation: str = ""


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Name the columns that came, went or have another type than in the last collection."""
    return [
        *(f'"{name}" is gone' for name in before if name not in now),
        *(f'"{name}" is new ({kind})' for name, kind in now.items() if name not in before),
        *(
            f'"{name}" was {before[name]} and is {kind} now'
            for name, kind in now.items()
            if before.get(name, kind) != kind
        ),
    ]


def without_secrets(text: str) -> str:
    """Take user names, passwords and query strings, which hold keys, out of the URLs in `text`."""
    text = re.sub(r"(?<=://)[^/\s'\"]*@", "", text)
    return re.sub(r"(://[^\s?#'\"]*)[?#][^\s'\"):]*", r"\1", text)


def quoted(text: str) -> str:
    """Return what a server said, without the secrets that it may have repeated."""
    return without_secrets(masked(text))
