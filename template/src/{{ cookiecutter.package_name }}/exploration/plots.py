"""What the report shows of the training rows."""

import pandas as pd
from mlsteps.exploration import standard_sections
from mlsteps.plots import bars, new_figure
from mlsteps.preparation import Schema
from mlsteps.report import figure, heading


def exploration_sections(train: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the sections of the exploration, in order: HTML, made by `mlsteps.report`.

    Parameters
    ----------
    train : DataFrame
        The training rows: the features and the target.
    schema
        ``schema.features`` has the name and the kind of each feature, ``schema.target`` a name.
    """
    return [
        *standard_sections(train, schema),
        heading("Different values"),
        plot_different_values(train, schema),
    ]


def plot_different_values(train: pd.DataFrame, schema: Schema) -> str:
    """Plot how many different values each feature has: an example for plots of your own.

    A feature with one value says nothing; a category with nearly as many as there are rows may be
    an id, which belongs in [columns] id of project.toml.
    """
    names = [column.name for column in schema.features]
    counts = train[names].nunique().sort_values(ascending=False).head(20)
    fig, axes = new_figure(height=0.5 + 0.2 * len(counts), grid="x")  # inches; axes of matplotlib
    bars(axes, counts.index, counts.to_list(), [f"{count:,}" for count in counts])
    return figure(fig, f"Of {len(train):,} training rows; the 20 features with the most.")
