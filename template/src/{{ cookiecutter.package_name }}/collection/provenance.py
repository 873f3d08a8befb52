"""What a source hands over, and what is remembered about where it came from."""

import re
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Source:
    """One file, query or page that rows came from.

    Attributes
    ----------
    name
        Where it is, without any secret.
    sha256
        The digest of its bytes in hexadecimal.
    rows
        How many rows it gave.
    note
        How it was read, in words.
    """

    name: str
    sha256: str
    rows: int
    note: str = ""


@dataclass(frozen=True)
class Collection:
    """The rows of one or more sources, in the order of the sources."""

    frame: pd.DataFrame
    sources: list[Source]


def without_secrets(text: str) -> str:
    """Take user names, passwords and query strings, which hold keys, out of the URLs in `text`."""
    text = re.sub(r"(?<=://)[^/\s'\"]*@", "", text)
    return re.sub(r"(://[^\s?#'\"]*)[?#][^\s'\"):]*", r"\1", text)
