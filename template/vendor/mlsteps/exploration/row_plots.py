"""The plots of the exploration of rows."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..plots import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALETTE,
    bars,
    heat_map,
    new_figure,
    shorten,
)
from ..problem.settings import Kind
from ..report import number
from .measures import as_numbers, fences

MOST_BINS = 30
MOST_POINTS = 400
MOST_LABELS = 8
COLOURED_CLASSES = 5  # the most frequent ones; all others are drawn together, in grey
OTHERS = "all others"
MISSING = "(missing)"
FIRST_DAY, LAST_DAY = date2num([date.min, date.max])  # that matplotlib can name
EXACT = 2**53  # beyond, floats skip whole numbers
FAR = 3  # times the length of the whiskers; what lies further is counted, not drawn
NUMBERED_COLUMNS = 12  # up to so many, the cells of the heat map hold their numbers


def plot_distribution(
    values: pd.Series, kind: Kind, colours: Mapping[str, str] | None = None
) -> tuple[Figure, str]:
    """Plot how the values of a column are distributed.

    A category: the share of the rows of each frequent label. All else: a histogram and a box plot.
    """
    share = values.isna().mean()
    missing = f", {share:.1%} missing" if share else ""
    if kind == "category":
        counts = values.value_counts()
        shown, total = counts.head(MOST_LABELS), counts.sum()
        plot, axes = new_figure(grid="x")
        fill = [(colours or {}).get(str(label), GREY if colours else BLUE) for label in shown.index]
        texts = [f"{share:.1%}" for share in shown / total]
        bars(axes, shown.index, shown.to_list(), texts, color=fill)
        most = f"the {len(shown)} most frequent of " if len(shown) < len(counts) else ""
        return plot, f"{most}{len(counts):,} labels{missing}"
    numbers = as_numbers(values, kind).dropna()
    edges = histogram_edges(numbers)
    heights = np.histogram(numbers, edges)[0]
    plot, axes = new_figure()
    axes.stairs(heights, edges, fill=True, color=BLUE)
    top = max(heights.max(), 1)
    draw_box(axes, numbers[numbers.between(edges[0], edges[-1])], 1.18 * top, 0.14 * top)
    axes.set_ylim(0, 1.32 * top)
    ticks = MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]).tick_values(0, top)
    axes.set_yticks(ticks[ticks <= top])
    label_axis(axes.xaxis, kind)
    return plot, _caption(values, numbers, kind) + missing


def _caption(values: pd.Series, numbers: pd.Series, kind: Kind) -> str:
    if numbers.empty:
        return "no value"
    if kind == "date":
        return f"median {values.median().date()}"
    said = f"median {number(numbers.median())}"
    if kind == "text":
        return f"{said} words"
    outliers = (~numbers.between(*fences(numbers))).sum()
    return f"{said}, {outliers:,} outliers" if outliers else said


def class_colours(target: pd.Series) -> dict[str, str]:
    """Return a colour for each class, the most frequent first."""
    labels = frequent_labels(target, COLOURED_CLASSES)
    colours = dict(zip(labels, PALETTE, strict=False))
    return colours if target.nunique() == len(labels) else colours | {OTHERS: GREY}


def plot_against_class(values: pd.Series, kind: Kind, target: pd.Series) -> Figure:
    """Plot a feature against the class.

    A category: the share of the classes within each label. All else: the distribution within each
    class, each with the same area.
    """
    colours = class_colours(target)
    classes = target.where(target.isin(list(colours)), OTHERS)
    plot, axes = new_figure(grid="")
    if kind == "category":
        values = values.fillna(MISSING)
        labels = frequent_labels(values, MOST_LABELS)
        shares = pd.crosstab(values, classes, normalize="index").reindex(labels)
        start = np.zeros(len(labels))
        for label, colour in colours.items():
            bars(
                axes,
                _with_counts(values, labels),
                shares[label].to_list(),
                left=start,
                color=colour,
            )
            start += shares[label].to_numpy()
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        return plot
    numbers = as_numbers(values, kind)
    edges = histogram_edges(numbers)
    for label, colour in colours.items():
        own = numbers[classes == label].dropna()
        heights = np.histogram(own, edges)[0] / max(len(own), 1)
        axes.stairs(heights, edges, fill=True, color=colour, alpha=0.25, linewidth=0)
        axes.stairs(heights, edges, color=colour, linewidth=1.4)
    axes.set_yticks([])
    label_axis(axes.xaxis, kind)
    return plot


def plot_against_number(values: pd.Series, kind: Kind, target: pd.Series) -> Figure:
    """Plot a feature against a target that is a number.

    A category: a box of the target for each label. All else: the rows as points, and the median of
    the target in up to ten equal parts of the rows, ordered by the feature.
    """
    if kind == "category":
        values = values.fillna(MISSING)
        medians = target.groupby(values).median()
        labels = sorted(frequent_labels(values, MOST_LABELS), key=lambda label: -medians[label])
        plot, axes = new_figure(grid="x")
        for place, label in enumerate(labels):
            draw_box(axes, target[values == label], place, 0.6)
        axes.set_yticks(range(len(labels)), _with_counts(values, labels))
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlim(*padded_range(target))
        return plot
    pairs = pd.DataFrame({"x": as_numbers(values, kind), "y": target}).dropna()
    plot, axes = new_figure(grid="both")
    draw_points(axes, pairs["x"], pairs["y"])
    parts = min(len(pairs) // 10, 10)
    if parts > 1 and pairs["x"].nunique() > 1:
        part = pd.qcut(pairs["x"], parts, duplicates="drop")
        trend = pairs.groupby(part, observed=True).median()
        axes.plot(trend["x"], trend["y"], "o-", color=ORANGE, markersize=4)
    axes.set_xlim(*padded_range(pairs["x"]))
    axes.set_ylim(*padded_range(pairs["y"]))
    label_axis(axes.xaxis, kind)
    return plot


def plot_bars(values: pd.Series, number_format: str, color: str = BLUE) -> Figure:
    """Plot a value of each feature as a bar with the number at its end."""
    plot, axes = new_figure(height=0.5 + 0.2 * len(values), grid="x")
    bars(
        axes,
        values.index,
        values.to_list(),
        [format(v, number_format) for v in values],
        color=color,
    )
    return plot


def plot_correlations(correlations: pd.DataFrame) -> Figure:
    """Plot a matrix of correlations as a heat map."""
    count = len(correlations)
    size = float(np.clip(1.6 + 0.42 * count, 3.6, 8))
    plot, axes = new_figure(width=size, height=0.85 * size, grid="")
    values = np.where(np.eye(count, dtype=bool), np.nan, correlations.to_numpy())
    texts: Sequence[Sequence[str]] = [
        ["" if np.isnan(v) else f"{v + 0:.2f}".replace("-", "−") for v in line]
        for line in values.round(2)
    ]
    texts = texts if count <= NUMBERED_COLUMNS else []
    names = correlations.index
    heat_map(axes, values, names, names, texts)
    return plot


def draw_points(axes: Axes, x: pd.Series, y: pd.Series) -> None:
    """Draw rows as points, a random sample of them where they are many."""
    x = x.sample(MOST_POINTS, random_state=0) if len(x) > MOST_POINTS else x
    axes.plot(x, y.loc[x.index], "o", color=BLUE, alpha=0.45, ms=3, markeredgewidth=0, zorder=1)


def draw_box(axes: Axes, numbers: pd.Series, place: float, height: float) -> None:
    """Draw a horizontal box plot: the quartiles, the range without outliers, and the outliers."""
    if numbers.empty:
        return
    low, middle, high = numbers.quantile([0.25, 0.5, 0.75])
    inside = numbers.between(*fences(numbers))
    whiskers, outliers = numbers[inside], numbers[~inside]
    axes.plot([whiskers.min(), whiskers.max()], [place, place], color=BLUE, linewidth=1)
    axes.barh(place, high - low, height, low, color=BLUE, alpha=0.45)
    axes.plot([middle, middle], [place - height / 2, place + height / 2], color=INK)
    draw_points(axes, outliers, pd.Series(place, outliers.index))


def typical_range(numbers: pd.Series) -> tuple[float, float]:
    """Return the range that is drawn: all of it, unless a few values lie far away."""
    low, high = numbers.quantile([0.25, 0.75])
    start, end = numbers.min(), numbers.max()
    if high > low:
        reach = FAR * (fences(numbers)[1] - high)
        start, end = max(start, low - reach), min(end, high + reach)
    size = max(abs(start), abs(end))
    if end - start <= 1e-12 * size or start == end:  # too little to draw
        room = max(0.5, 1e-9 * size)
        start, end = start - room, end + room
    return float(start), float(end)


def padded_range(numbers: pd.Series) -> tuple[float, float]:
    """Return the range that is drawn, with some room at both ends for points."""
    start, end = typical_range(numbers)
    room = 0.04 * (end - start)
    return start - room, end + room


def histogram_edges(numbers: pd.Series) -> np.ndarray:
    """Return the edges of a histogram's bins; whole numbers get bins of whole width."""
    if not numbers.notna().any():
        return np.array([0.0, 1.0])
    start, end = typical_range(numbers)
    inside = numbers[numbers.between(start, end)]
    bins = int(np.clip(2 * np.sqrt(len(inside)), 5, MOST_BINS))
    if (inside % 1 == 0).all() and end - start < EXACT:  # as many whole numbers in each bin
        width = np.ceil((end - start + 1) / bins)
        return np.arange(start - 0.5, end + width, width)
    return np.linspace(start, end, bins + 1)


def frequent_labels(values: pd.Series, most: int) -> list[str]:
    """Return the most frequent labels of a column, at most so many."""
    return [str(label) for label in values.value_counts().index[:most]]


def _with_counts(values: pd.Series, labels: list[str]) -> list[str]:
    counts = values.value_counts()
    return [f"{shorten(label, 14)} {counts[label]:,}" for label in labels]


def label_axis(axis: Axis, kind: Kind) -> None:
    """Say on an axis what a column's numbers are, where they are not the values themselves."""
    if kind == "date":
        start, end = axis.get_view_interval()
        axis.set_view_interval(max(start, FIRST_DAY), min(end, LAST_DAY), ignore=True)
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axis.set_major_locator(locator)
        axis.set_major_formatter(ConciseDateFormatter(locator))
    elif kind == "text":
        axis.set_label_text("words")
