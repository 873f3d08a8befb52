"""Write the card of the exploration."""

from collections.abc import Callable

import pandas as pd

from ..files import read_frame
from ..plots import plot_style
from ..preparation.schema import Schema, read_schema
from ..problem.project import Project
from ..problem.sample import read_sample
from ..report import notice, write_card
from .measures import problem_of
from .rows import row_sections, summarize_rows
from .series import series_sections, summarize_series

Sections = Callable[[pd.DataFrame, Schema], list[str]]


@plot_style()
def explore(project: Project, sections: Sections) -> str:
    """Write the card of the exploration from data/prepared.

    Parameters
    ----------
    project
        Its train.parquet and schema.json are read, and its report is written.
    sections
        Returns what the report shows of the training rows, as `standard_sections` does: HTML, made
        by the functions of `mlsteps.report`.

    Returns
    -------
    str
        What was found, in a line.

    Raises
    ------
    UserError
        If a prepared file is missing or damaged.

    Examples
    --------
    With nothing but a table of the means::

        explore(open_project(), lambda train, schema: [table(train.groupby(schema.target).mean())])
    """
    schema = read_schema(project.prepared / "schema.json")
    train = read_frame(project.prepared / "train.parquet")
    summarize = summarize_series if problem_of(schema).of_series else summarize_rows
    summary = summarize(train, schema)
    sample = read_sample(project.prepared)
    note = [notice(sentence, "warn") for sentence in (sample.sentences() if sample else [])]
    every = [sample.section()] if sample else []
    write_card(project.reports, "explore", summary, *note, *sections(train, schema), *every)
    return summary


@plot_style()
def standard_sections(train: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the sections that fit the type of problem.

    Parameters
    ----------
    train : DataFrame
        The rows of train.parquet, or some of them: the features and the target.
    schema
        Names the features and the target.

    Returns
    -------
    list of str
        HTML, by `row_sections` or `series_sections`.

    Examples
    --------
    In a notebook::

        IPython.display.HTML("".join(standard_sections(train, schema)))
    """
    make = series_sections if problem_of(schema).of_series else row_sections
    return make(train, schema)
