"""Where values are missing, and which are missing together."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..plots import GRID, ORANGE, bars, new_figure, shorten, tilt_labels

MOST_COLUMNS = 12
MOST_PATTERNS = 8


def plot_missing(shares: pd.Series) -> Figure:
    """Draw the share of missing values of the columns in `shares`."""
    plot, axes = new_figure(height=0.5 + 0.22 * len(shares), grid="x")
    bars(axes, shares.index, shares.to_list(), [f"{share:.1%}" for share in shares], color=ORANGE)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    return plot


def missing_patterns(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Find which columns are missing together, the most frequent pattern first.

    Returns
    -------
    gaps : (patterns, columns) of bool, counts : (patterns,)
        Whether the pattern lacks the column, and how many rows have the pattern.
    """
    bits = 2 ** np.arange(rows.shape[1])
    codes, counts = np.unique(rows.isna().to_numpy() @ bits, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return (codes[order, None] & bits) > 0, counts[order]


def plot_patterns(names: list[str], gaps: np.ndarray, counts: np.ndarray) -> Figure:
    """Draw which columns are missing together: a line for a pattern, a coloured dot for a gap."""
    shown = min(len(counts), MOST_PATTERNS)
    plot, axes = new_figure(height=0.9 + 0.24 * shown, grid="")
    lines, places = np.indices((shown, len(names)))
    for colour, chosen in ((GRID, ~gaps[:shown]), (ORANGE, gaps[:shown])):
        axes.plot(places[chosen], lines[chosen], "o", color=colour, markersize=8, markeredgewidth=0)
    shares = counts / counts.sum()
    axes.set_yticks(range(shown), [f"{shares[k]:.1%}" for k in range(shown)])
    axes.set_ylim(shown - 0.4, -0.6)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xticks(range(len(names)), [shorten(name, 14) for name in names])
    tilt_labels(axes)
    axes.spines["bottom"].set_visible(False)
    return plot
