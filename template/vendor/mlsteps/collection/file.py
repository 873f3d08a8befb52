"""The source is a file, a pattern of files, or a URL."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..files import file_digest
from .stream import Stream
from .tables import find_local, is_url, read_tables, short_name


def open_stream(data: Any, root: Path, cache: Path) -> Stream:
    """Return the files that ``[data] path`` names, as a source."""
    stream = Stream(lambda _: read())

    def read() -> Iterator[pa.Table]:
        collection = read_tables(data.path, root, data.missing)
        stream.sources.extend(collection.sources)
        yield pa.Table.from_pandas(collection.frame, preserve_index=False)

    return stream


def fingerprint(data: Any, root: Path) -> str | None:
    """Return a digest that changes when the files do; None if only fetching them would tell.

    Raises
    ------
    UserError
        If there is no such file.
    """
    if not data.path or is_url(data.path):
        return None
    files = find_local(data.path, root)
    return hashlib.sha256(
        "".join(f"{short_name(file, root)}\n{file_digest(file)}\n" for file in files).encode()
    ).hexdigest()
