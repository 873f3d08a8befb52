"""The plots of the exploration of rows."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..plots import BLUE, GREY, INK, ORANGE, bars, heat_map, new_figure, shorten, show_dates
from ..problem.columns import labels
from ..problem.settings import Kind
from .measures import as_numbers, fences

MOST_BINS = 30
MOST_POINTS = 400
MOST_BARS = 8
OTHERS = "all others"
LAST_DAYS = date2num([date.min, date.max])  # that matplotlib can name
EXACT = 2**53  # beyond, floats skip whole numbers
FAR = 4.5  # interquartile ranges from the quartiles; what lies further is not drawn
Colours = Mapping[str, str]  # of the classes
NUMBERED_COLUMNS = 12  # up to so many, the cells of the heat map hold their numbers


def plot_distribution(values: pd.Series, kind: Kind, _: object, colours: Colours) -> Figure:
    """Plot the share of each frequent label of a category; of all else a histogram."""
    if kind == "category":
        shares = values.value_counts(normalize=True).head(MOST_BARS)
        fig, axes = new_figure(grid="x")
        fill = [colours.get(label, GREY) for label in shares.index] if colours else BLUE
        bars(axes, shares.index, shares.to_list(), [f"{s:.1%}" for s in shares], color=fill)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        return fig
    numbers = as_numbers(values, kind)
    fig, axes = new_figure()
    axes.hist(numbers, histogram_edges(numbers), histtype="stepfilled", color=BLUE)
    _label_axis(axes, kind)
    return fig


def plot_against_class(
    values: pd.Series, kind: Kind, target: pd.Series, colours: Colours
) -> Figure:
    """Plot the share of the classes within each label; of all else the histogram of each class."""
    classes = target.where(target.isin(list(colours)), OTHERS)
    fig, axes = new_figure(grid="")
    if kind == "category":
        values = labels(values).fillna("(missing)")
        counts = values.value_counts().head(MOST_BARS)
        shares = pd.crosstab(values, classes, normalize="index")
        start = np.zeros(len(counts))
        for label, colour in colours.items():
            width = shares[label].reindex(counts.index).to_numpy()
            bars(axes, _with_counts(counts), width, left=start, color=colour)
            start += width
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        return fig
    numbers = as_numbers(values, kind)
    edges = histogram_edges(numbers)
    for label, colour in colours.items():
        own = numbers[classes == label]
        shares = np.full(len(own), 1 / max(len(own), 1))
        axes.hist(own, edges, weights=shares, histtype="stepfilled", color=colour, alpha=0.25)
        axes.hist(own, edges, weights=shares, histtype="step", color=colour, linewidth=1.4)
    axes.set_yticks([])
    _label_axis(axes, kind)
    return fig


def plot_against_number(values: pd.Series, kind: Kind, target: pd.Series, _: object) -> Figure:
    """Plot a box of the target for each label of a category; of all else rows as points.

    A line goes through the median of the target in up to ten equal parts of the rows.
    """
    if kind == "category":
        values = labels(values).fillna("(missing)")
        counts = values.value_counts().head(MOST_BARS)
        medians = target.groupby(values).median()[counts.index]
        counts = counts[medians.sort_values(ascending=False, kind="stable").index]
        fig, axes = new_figure(grid="x")
        axes.boxplot(
            [target[values == label] for label in counts.index],
            tick_labels=_with_counts(counts),
            widths=0.6,
            orientation="horizontal",
            patch_artist=True,
            showfliers=False,
            showcaps=False,
            boxprops={"facecolor": (BLUE, 0.45), "linewidth": 0},
            whiskerprops={"color": BLUE, "linewidth": 1},
            medianprops={"color": INK},
        )
        axes.invert_yaxis()
        return fig
    pairs = pd.DataFrame({"x": as_numbers(values, kind), "y": target}).dropna()
    fig, axes = new_figure(grid="both")
    near = [values.between(*fences(values, FAR)) for _, values in pairs.items()]
    shown = pairs[near[0] & near[1]]
    draw_points(axes, shown["x"], shown["y"])
    parts = min(len(pairs) // 10, 10)
    if parts > 1 and pairs["x"].nunique() > 1:
        part = pd.qcut(pairs["x"], parts, duplicates="drop")
        trend = pairs.groupby(part, observed=True).median()
        axes.plot(trend["x"], trend["y"], "o-", color=ORANGE, markersize=4)
    _label_axis(axes, kind)
    return fig


def plot_correlations(correlations: pd.DataFrame) -> Figure:
    """Plot a matrix of correlations as a heat map."""
    count, names = len(correlations), correlations.index
    size = float(np.clip(1.6 + 0.42 * count, 3.6, 8))
    fig, axes = new_figure(width=size, height=0.85 * size)
    values = np.where(np.eye(count, dtype=bool), np.nan, correlations.to_numpy())
    texts = [["" if np.isnan(v) else f"{v:.2f}".replace("-", "−") for v in row] for row in values]
    heat_map(axes, values, names, names, texts if count <= NUMBERED_COLUMNS else ())
    return fig


def draw_points(axes: Axes, x: pd.Series, y: pd.Series) -> None:
    """Draw rows as points, a random sample of them where they are many."""
    x = x.sample(MOST_POINTS, random_state=0) if len(x) > MOST_POINTS else x
    axes.plot(x, y.loc[x.index], "o", color=BLUE, alpha=0.45, ms=3, markeredgewidth=0, zorder=1)


def histogram_edges(numbers: pd.Series) -> list[float]:
    """Return the edges of a histogram's bins; whole numbers get bins of whole width."""
    inside = numbers[numbers.between(*fences(numbers, FAR))]
    if inside.empty:
        return [0.0, 1.0]
    start, end = inside.min(), inside.max()
    size = max(abs(start), abs(end))
    if end - start <= 1e-12 * size:  # too little to draw
        room = max(0.5, 1e-9 * size)
        start, end = start - room, end + room
    bins = int(np.clip(2 * np.sqrt(len(inside)), 5, MOST_BINS))
    if (inside % 1 == 0).all() and end - start < EXACT:  # as many whole numbers in each bin
        width = np.ceil((end - start + 1) / bins)
        return list(np.arange(start - 0.5, end + width, width))
    return list(np.linspace(start, end, bins + 1))


def _with_counts(counts: pd.Series) -> list[str]:
    return [f"{shorten(label, 14)} {count:,}" for label, count in counts.items()]


def _label_axis(axes: Axes, kind: Kind) -> None:
    """Say on the x axis what a column's numbers are, where they are not the values themselves."""
    if kind == "date":
        axes.set_xlim(np.clip(axes.get_xlim(), *LAST_DAYS))
        show_dates(axes)
    elif kind == "text":
        axes.set_xlabel("words")
