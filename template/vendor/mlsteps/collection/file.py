"""The source is a file, a pattern of files, or a URL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..files import file_digest
from .stream import Stream, digest, without_secrets
from .tables import find_local, is_url, read_table, short_name


def open_stream(data: Any, root: Path, cache: Path) -> Stream:
    """Return the files that ``[data] path`` names, as a source."""
    stream = Stream(lambda _: read(), name=without_secrets(data.path))

    def read() -> Iterator[pa.Table]:
        table, sources = read_table(data.path, root, data.missing)
        stream.sources.extend(sources)
        yield table

    return stream


def fingerprint(data: Any, root: Path) -> str | None:
    """Return a digest that changes when the files do; None if only fetching them would tell."""
    if not data.path or is_url(data.path):
        return None
    return digest([(short_name(f, root), file_digest(f)) for f in find_local(data.path, root)])
