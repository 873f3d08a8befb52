"""Look at the training rows and write the card of the exploration."""

from collections.abc import Callable

import pandas as pd

from ..files import read_frame
from ..plots import plot_style
from ..preparation.schema import Schema, read_schema
from ..problem.project import Project
from ..report import write_card
from . import rows, series

Sections = Callable[[pd.DataFrame, Schema], list[str]]


@plot_style()
def explore(project: Project, sections: Sections) -> str:
    """Write the card of the exploration from data/prepared.

    Parameters
    ----------
    sections
        Returns what the report shows of the training rows, made by the functions of `report`.

    Returns
    -------
    str
        What was found, in a line.
    """
    schema = read_schema(project.prepared / "schema.json")
    train = read_frame(project.prepared / "train.parquet")
    summary = _module(schema).summarize(train, schema)
    write_card(project.reports, "explore", summary, *sections(train, schema))
    return summary


@plot_style()
def standard_sections(train: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the sections that fit the type of problem."""
    found: list[str] = _module(schema).standard_sections(train, schema)
    return found


def _module(schema: Schema):  # noqa: ANN202
    return series if schema.problem == "forecasting" else rows
