"""What the report shows of the training rows."""

import pandas as pd
from mlsteps.exploration import standard_sections
from mlsteps.plots import bars, new_figure
from mlsteps.preparation import Schema
from mlsteps.report import figure, heading


def training_sections(train: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the sections of the exploration, in order."""
    return [
        *standard_sections(train, schema),
        heading("Different values"),
        plot_distinct_values(train, schema),
    ]


def plot_distinct_values(train: pd.DataFrame, schema: Schema) -> str:
    """Plot how many different values each feature has: an example for plots of your own."""
    names = [column.name for column in schema.features]
    counts = train[names].nunique().sort_values(ascending=False).head(20)
    plot, axes = new_figure(height=0.5 + 0.2 * len(counts), grid="x")
    bars(axes, counts.index, counts.to_list(), [f"{count:,}" for count in counts])
    return figure(plot, "Of the training rows; the 20 features with the most.")
