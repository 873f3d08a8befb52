"""The source is a file, a pattern of files, or a URL."""

import hashlib
from pathlib import Path

from ..files import file_digest
from ..problem.settings import Data
from .provenance import Collection
from .tables import find_local, is_url, read_tables, short_name


def read(data: Data, root: Path) -> Collection:
    """Read the files that ``[data] path`` names.

    Parameters
    ----------
    data
        The table of project.toml.
    root
        The folder that a relative path starts from.

    Raises
    ------
    UserError
        If there is no such file, or one cannot be read.
    """
    return read_tables(data.path, root, data.missing)


def fingerprint(data: Data, root: Path) -> str | None:
    """Return a digest that changes when the files do; None if only fetching them would tell.

    Raises
    ------
    UserError
        If there is no such file.
    """
    if is_url(data.path):
        return None
    files = find_local(data.path, root)
    return hashlib.sha256(
        "".join(f"{short_name(file, root)}\n{file_digest(file)}\n" for file in files).encode()
    ).hexdigest()
