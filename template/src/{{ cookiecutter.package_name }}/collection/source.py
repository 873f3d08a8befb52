"""Where the rows come from, and how it is told that they have changed."""

from collections.abc import Iterable

import mlsteps.collection
import pandas as pd
from mlsteps import Project
from mlsteps.collection import Stream


def read_rows(project: Project) -> Stream | pd.DataFrame | Iterable[pd.DataFrame]:
    """Return the rows: what [data] in project.toml names.

    For a source of your own, return a frame, or yield frames one after another.
    """
    return mlsteps.collection.open_source(project)


def has_changed(project: Project) -> str | None:
    """Return a text that is another one when the rows at the source are.

    None stands for a source that has to be read to tell, such as a database.
    """
    return mlsteps.collection.fingerprint(project)
