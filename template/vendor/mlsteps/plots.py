"""The style of all plots: sizes, colours, and the shapes that more than one step draws.

Figures are made without pyplot, so nothing needs a display, and the style holds within `plot_style`
only. The colours of text, grid and paper are replaced by report.css where the reader prefers a dark
page.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.ticker import Formatter, MaxNLocator

INK = "#1c2733"
MUTED = "#5c6b7a"
GRID = "#e4e8ed"
PAPER = "#fefefe"

# Distinct for the colour-blind as well, by hue and by lightness, on a light page and on a dark one.
PALETTE = ("#3673d0", "#d2601a", "#146f5b", "#b03fa8", "#cfa21a", "#8f98a3")
BLUE, ORANGE, TEAL, PLUM, GOLD, GREY = PALETTE
# Zero is transparent, so a heat map has the colour of the page where there is nothing.
DIVERGING = LinearSegmentedColormap.from_list(
    "diverging", [(0, ORANGE), (0.5, f"{ORANGE}00"), (0.5, f"{BLUE}00"), (1, BLUE)]
)

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text; report.css chooses the font
    "font.sans-serif": ["DejaVu Sans"],
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "lines.markersize": 3.5,
    "patch.linewidth": 0,
    "legend.frameon": False,
    "legend.labelcolor": MUTED,
}
# ``with plot_style(): ...`` draws in this style, and ``@plot_style()`` makes a function do so.
plot_style = partial(mpl.rc_context, STYLE)

UNITS = [(1e12, 1, ""), (1e10, 1e9, "G"), (1e7, 1e6, "M"), (1e4, 1e3, "k"), (0, 1, "")]


class _Compact(Formatter):
    """Write ticks short, 25k for 25,000, in one unit for all of an axis."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        largest = max((abs(value) for value in values), default=0)
        unit, sign = next((unit, sign) for least, unit, sign in UNITS if largest >= least)
        return [f"{v / unit:g}{sign if v else ''}".replace("-", "−") for v in values]

    def __call__(self, value: float, position: int | None = None) -> str:
        return self.format_ticks([value])[0]


@plot_style()
def new_figure(width: float = 3.2, height: float = 2.3, grid: str = "y") -> tuple[Figure, Axes]:
    """Return an empty figure and its axes, in the style of the report.

    Parameters
    ----------
    width, height
        In inches of 96 pixels of the page. 3.2 fits a phone, and three side by side.
    grid
        Which lines of the grid are drawn: "x", "y", "both" or "" for none.

    Returns
    -------
    (Figure, Axes)
        What `report.figure` shows, and what is drawn on.

    Examples
    --------
    >>> fig, axes = new_figure()
    >>> axes.set_xlabel("age")
    Text(0.5, 0, 'age')
    """
    fig = Figure(figsize=(width, height))
    axes = fig.add_subplot()
    for axis, name, inches in ((axes.xaxis, "x", width), (axes.yaxis, "y", height)):
        axis.grid(grid in (name, "both"))
        axis.set_major_formatter(_Compact())
        axis.set_major_locator(MaxNLocator(max(3, round(inches * 1.6)), steps=[1, 2, 2.5, 5, 10]))
        axis.isDefault_majloc = axis.isDefault_majfmt = True  # labels and dates bring their own
    return fig, axes


def show_dates(axes: Axes) -> None:
    """Write the dates of the x axis short."""
    locator = AutoDateLocator(minticks=2, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def shorten(label: object, length: int = 20) -> str:
    """Return a label, cut to what fits next to an axis."""
    text = " ".join(str(label).split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


@plot_style()
def bars(
    axes: Axes,
    labels: Sequence[object],
    values: Sequence[float],
    texts: Sequence[str] = (),
    **style: Any,
) -> None:
    """Draw horizontal bars with their labels, the first on top.

    Parameters
    ----------
    axes
        Of `new_figure`.
    labels, values
        What is written beside each bar, and its length.
    texts
        What is written at the end of each bar.
    style
        Passed to `barh` of matplotlib.

    Examples
    --------
    >>> fig, axes = new_figure(grid="x")
    >>> bars(axes, ["age", "income"], [73, 912], ["73", "912"])
    """
    height = 0.72 * min(1, (len(values) + 1) / 5)  # few bars are thin
    drawn = axes.barh(
        range(len(values)), values, **{"height": height, "color": BLUE, "ecolor": INK, **style}
    )
    axes.set_yticks(range(len(values)), [shorten(label) for label in labels])
    axes.set_ylim(len(values) - 0.4, -0.6)
    if len(texts):
        axes.bar_label(drawn, texts, padding=3, color=MUTED)
        axes.set_xlim(0, 1.2 * max(*values, 1e-9))


@plot_style()
def heat_map(
    axes: Axes,
    values: np.ndarray,
    rows: Sequence[object],
    columns: Sequence[object],
    texts: Sequence[Sequence[str]] = (),
) -> None:
    """Draw a matrix of numbers from -1 (orange) to 1 (blue) as cells, with texts in them."""
    axes.imshow(values, DIVERGING, vmin=-1, vmax=1, interpolation="none", aspect="auto")
    tilt = 40 if max(len(str(column)) for column in columns) > 5 else 0
    axes.set_xticks(range(len(columns)), [shorten(c, 16) for c in columns], rotation=tilt)
    for label in axes.get_xticklabels() if tilt else ():
        label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), [shorten(r, 16) for r in rows])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.hlines(np.arange(len(rows) + 1) - 0.5, -0.5, len(columns) - 0.5, color=PAPER, linewidth=1)
    axes.vlines(np.arange(len(columns) + 1) - 0.5, -0.5, len(rows) - 0.5, color=PAPER, linewidth=1)
    for i, line in enumerate(texts):
        for j, text in enumerate(line):
            color = "white" if abs(values[i, j]) > 0.85 else INK
            axes.text(j, i, text, ha="center", va="center", color=color)
