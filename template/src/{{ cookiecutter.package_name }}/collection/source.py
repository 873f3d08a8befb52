"""Where the rows come from, and how it is told that they have changed."""

from collections.abc import Iterable

import mlsteps.collection
import pandas as pd
from mlsteps import Project
from mlsteps.collection import Stream


def read_rows(project: Project) -> Stream | pd.DataFrame | Iterable[pd.DataFrame]:
    """Return the rows: what [data] in project.toml names.

    For a source of your own, return a DataFrame, or yield one after another, and let `fingerprint`
    below tell of it.
    """
    return mlsteps.collection.open_source(project)


def fingerprint(project: Project) -> str | None:
    """Return a text that changes when the rows at the source change, and None to read them always.

    `collect` is skipped while it stays the same.
    """
    return mlsteps.collection.fingerprint(project)
