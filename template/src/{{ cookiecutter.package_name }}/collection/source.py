"""Where the rows come from."""

from collections.abc import Iterable

import pandas as pd
from mlsteps import Project
from mlsteps.collection import Stream, open_source


def read_rows(project: Project) -> Stream | pd.DataFrame | Iterable[pd.DataFrame]:
    """Return the rows: what [data] in project.toml names, a frame, or frames one after another.

    For a source of your own, return or yield its frames here.
    """
    return open_source(project)
