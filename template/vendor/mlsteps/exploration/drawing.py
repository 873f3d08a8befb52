"""Shapes that several plots of the exploration share."""

from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

from ..plots import BLUE, INK
from ..problem.settings import Kind
from .columns import fences, quartiles

MOST_BINS = 30
DRAWN_POINTS = 400
FIRST_DAY, LAST_DAY = date2num([date.min, date.max])  # that matplotlib can name
EXACT = 2**53  # beyond, floats skip whole numbers
MISSING = "(missing)"
SHOWN_FEATURES = 12
WEAK = 0.1  # below it, an association is not worth a word and a correlation not a plot
FAR = 4.5  # interquartile ranges from the box; what lies further is counted, not drawn


def typical_range(numbers: pd.Series) -> tuple[float, float]:
    """Return the range that is drawn: all of it, unless a few values lie far away."""
    low, _, high = quartiles(numbers)
    reach = FAR * (high - low)
    start, end = numbers.min(), numbers.max()
    if reach > 0:
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


def box(axes: Axes, numbers: pd.Series, place: float, height: float, color: str = BLUE) -> None:
    """Draw a horizontal box plot: the quartiles, the range without outliers, and the outliers."""
    numbers = numbers.dropna()
    if numbers.empty:
        return
    low, middle, high = quartiles(numbers)
    start, end = fences(numbers)
    inside = numbers[numbers.between(start, end)]
    outliers = numbers[~numbers.between(start, end)]
    axes.plot([inside.min(), inside.max()], [place, place], color=color, linewidth=1)
    axes.barh(place, high - low, height, low, color=color, alpha=0.45)
    axes.plot([middle, middle], [place - height / 2, place + height / 2], color=INK)
    points(axes, outliers, pd.Series(place, outliers.index), color)


def points(axes: Axes, x: pd.Series, y: pd.Series, color: str = BLUE) -> None:
    """Draw rows as points, a random sample of them where they are many."""
    if len(x) > DRAWN_POINTS:
        x = x.sample(DRAWN_POINTS, random_state=0)
    axes.plot(
        x, y.loc[x.index], "o", color=color, alpha=0.45, markersize=3, markeredgewidth=0, zorder=1
    )


def frequent_labels(values: pd.Series, most: int) -> list[str]:
    """Return the most frequent labels of a column, at most so many."""
    return [str(label) for label in values.value_counts().index[:most]]


def label_values(axis: Axis, kind: Kind) -> None:
    """Say on an axis what a column's numbers are, where they are not the values themselves."""
    if kind == "date":
        start, end = axis.get_view_interval()
        axis.set_view_interval(max(start, FIRST_DAY), min(end, LAST_DAY), ignore=True)
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axis.set_major_locator(locator)
        axis.set_major_formatter(ConciseDateFormatter(locator))
    elif kind == "text":
        axis.set_label_text("words")


def left_out(shown: int, of: int) -> str:
    """Say that not everything is shown, where that is so."""
    return f" Shown are {shown} of {of:,}." if shown < of else ""
