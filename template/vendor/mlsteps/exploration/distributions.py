"""How the values of one column are distributed."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..plots import BLUE, bars, new_figure
from ..problem.settings import Kind
from ..report import number
from .columns import as_numbers, fences
from .drawing import box, frequent_labels, histogram_edges, label_values

SHOWN_LABELS = 8


def plot_distribution(values: pd.Series, kind: Kind) -> tuple[Figure, str]:
    """Draw the values of a column; return the plot and its caption."""
    if kind == "category":
        return plot_labels(values)
    return plot_numbers(values, kind)


def plot_numbers(values: pd.Series, kind: Kind) -> tuple[Figure, str]:
    """Draw a histogram, and a box plot above it."""
    numbers = as_numbers(values, kind).dropna()
    edges = histogram_edges(numbers)
    heights = np.histogram(numbers, edges)[0]
    plot, axes = new_figure()
    axes.stairs(heights, edges, fill=True, color=BLUE)
    top = max(heights.max(), 1)
    box(axes, numbers[numbers.between(edges[0], edges[-1])], 1.18 * top, 0.14 * top)
    axes.set_ylim(0, 1.32 * top)
    ticks = MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]).tick_values(0, top)
    axes.set_yticks(ticks[ticks <= top])
    label_values(axes.xaxis, kind)
    return plot, _caption(values, numbers, kind, edges)


def plot_labels(values: pd.Series) -> tuple[Figure, str]:
    """Draw how many rows each of the most frequent labels has."""
    counts = values.value_counts()
    shown = counts[frequent_labels(values, SHOWN_LABELS)]
    plot, axes = new_figure(grid="x")
    bars(axes, shown.index, shown.to_list(), [f"{count:,}" for count in shown])
    of = f"{len(shown)} of " if len(shown) < len(counts) else ""
    share = f", in {shown.sum() / counts.sum():.1%} of the rows" if of else ""
    return plot, f"{of}{len(counts):,} labels{share}{_missing(values)}"


def _caption(values: pd.Series, numbers: pd.Series, kind: Kind, edges: np.ndarray) -> str:
    if numbers.empty:
        return "all missing"
    middle = values.median() if kind == "date" else numbers.median()
    said = f"median {middle.date() if kind == 'date' else number(middle)}"
    if kind == "text":
        said += " words"
    low, high = fences(numbers)
    if kind == "number" and np.isfinite(low):
        outliers = int(((numbers < low) | (numbers > high)).sum())
        said += f", {outliers:,} outliers" if outliers else ", no outliers"
    elif kind == "number":
        said += ", like at least half of the rows"
    return said + _missing(values)


def _missing(values: pd.Series) -> str:
    share = values.isna().mean()
    return f", {share:.1%} missing" if share else ""
