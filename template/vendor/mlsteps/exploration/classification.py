"""What is particular to exploring a class: how a feature tells about it, and how that is drawn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..plots import GREY, PALETTE, bars, new_figure, shorten
from ..preparation.schema import Schema
from ..problem.settings import Kind
from .columns import as_numbers
from .drawing import MISSING, frequent_labels, histogram_edges, label_values
from .ranking import cramers_v
from .supervised import ORDER, Look, rank, show_target, strongest

__all__ = ["ORDER", "insights", "rank_features", "strongest"]

MEASURE = "Cramér's V, bias-corrected, with numbers cut at their deciles"
AGAINST = (
    "Numbers: their distribution within each class, each with the same area. "
    "Categories: the share of the classes within each label, with its number of rows."
)
COLOURED_CLASSES = 5  # the most frequent ones; what remains is drawn together, in grey
OTHER = "all others"
SHOWN_CLASSES = 12


def association(groups: np.ndarray, target: pd.Series) -> float:
    """Return how much a grouping of the rows tells about the class, 0 to 1: Cramér's V."""
    return cramers_v(groups, pd.factorize(target)[0])


def rank_features(rows: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return the association of each feature with the target, 0 to 1, the strongest first."""
    return rank(rows, schema, association)


def insights(sample: pd.DataFrame, schema: Schema, strengths: pd.Series) -> list[str]:
    """Return the sections of the report about the target."""
    look = Look(MEASURE, AGAINST, colours, plot_target, plot_against)
    return show_target(sample, schema, strengths, look)


def colours(target: pd.Series) -> dict[str, str]:
    """Return a colour for each class, the most frequent first."""
    labels = frequent_labels(target, COLOURED_CLASSES)
    chosen = dict(zip(labels, PALETTE, strict=False))
    return chosen if target.nunique() == len(labels) else chosen | {OTHER: GREY}


def plot_target(target: pd.Series) -> tuple[Figure, str]:
    """Draw how many rows each class has; return the plot and its caption."""
    counts = target.value_counts()
    shown = counts.head(SHOWN_CLASSES)
    palette = colours(target)
    plot, axes = new_figure(height=0.5 + 0.24 * max(len(shown), 3), grid="x")
    fill = [palette.get(str(label), GREY) for label in shown.index]
    shares = [f"{share:.1%}" for share in shown / counts.sum()]
    bars(axes, shown.index, shown.to_list(), shares, color=fill)
    of = f"the {len(shown)} most frequent of " if len(shown) < len(counts) else ""
    return plot, f"rows of {of}{len(counts)} classes"


def plot_against(values: pd.Series, kind: Kind, target: pd.Series) -> Figure:
    """Draw a feature against the class.

    A category: the share of the classes within each label. All else: the distribution within each
    class, each with the same area.
    """
    palette = colours(target)
    classes = target.where(target.isin(list(palette)), OTHER)
    if kind == "category":
        return _plot_shares(values.fillna(MISSING), classes, palette)
    plot, axes = new_figure(grid="")
    numbers = as_numbers(values, kind)
    edges = histogram_edges(numbers)
    for label, colour in palette.items():
        own = numbers[classes == label].dropna().to_numpy()
        if own.size:
            heights = np.histogram(own, edges)[0] / own.size
            axes.stairs(heights, edges, fill=True, color=colour, alpha=0.25, linewidth=0)
            axes.stairs(heights, edges, color=colour, linewidth=1.4)
    axes.set_yticks([])
    label_values(axes.xaxis, kind)
    return plot


def _plot_shares(values: pd.Series, classes: pd.Series, palette: dict[str, str]) -> Figure:
    labels = frequent_labels(values, 8)
    shares = pd.crosstab(values[values.isin(labels)], classes, normalize="index")
    shares = shares.reindex(index=labels, columns=list(palette), fill_value=0.0)
    counts = values.value_counts()
    plot, axes = new_figure(grid="")
    ticks = [f"{shorten(label, 14)} {counts[label]:,}" for label in labels]
    start = np.zeros(len(labels))
    for label, colour in palette.items():
        bars(axes, ticks, shares[label].to_list(), left=start, color=colour)
        start += shares[label].to_numpy()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    return plot
