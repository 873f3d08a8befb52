"""What is particular to exploring a quantity: how a feature tells about it, how that is drawn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..plots import BLUE, ORANGE, new_figure, shorten
from ..preparation.schema import Schema
from ..problem.settings import Kind
from .columns import as_numbers
from .distributions import plot_numbers
from .drawing import MISSING, box, frequent_labels, label_values, padded_range, points
from .supervised import ORDER, Look, rank, show_target, strongest

__all__ = ["ORDER", "insights", "rank_features", "strongest"]

MEASURE = (
    "Correlation ratio of the target's ranks, bias-corrected, with numbers cut at their deciles"
)
AGAINST = (
    "Numbers: the target upwards, for some of the rows. "
    "Categories: the target to the right, as a box for each label, with its number of rows."
)
ROWS_FOR_MEDIAN = 10


def association(groups: np.ndarray, target: pd.Series) -> float:
    """Return how much a grouping of the rows tells about the target, 0 to 1.

    The correlation ratio of the target's ranks between groups, with the correction of Kelley
    (1935), "An unbiased correlation ratio measure", so that many small groups do not look strong
    by chance.
    """
    ranks = target.rank().to_numpy()
    sizes = np.bincount(groups)
    means = np.bincount(groups, ranks) / sizes
    within = np.sum((ranks - means[groups]) ** 2) / max(len(ranks) - len(sizes), 1)
    total = np.sum((ranks - ranks.mean()) ** 2) / max(len(ranks) - 1, 1)
    return float(np.sqrt(max(1 - within / total, 0))) if total and len(ranks) > len(sizes) else 0.0


def rank_features(rows: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return the association of each feature with the target, 0 to 1, the strongest first."""
    return rank(rows, schema, association)


def insights(sample: pd.DataFrame, schema: Schema, strengths: pd.Series) -> list[str]:
    """Return the sections of the report about the target."""
    look = Look(MEASURE, AGAINST, colours, plot_target, plot_against)
    return show_target(sample, schema, strengths, look)


def colours(target: pd.Series) -> dict[str, str]:
    """Return what the colours of `plot_against` mean."""
    return {
        "a training row": BLUE,
        f"median {target.name} in up to ten equal parts of the rows": ORANGE,
    }


def plot_target(target: pd.Series) -> tuple[Figure, str]:
    """Draw how the target is distributed; return the plot and its caption."""
    return plot_numbers(target, "number")


def plot_against(values: pd.Series, kind: Kind, target: pd.Series) -> Figure:
    """Draw a feature against the target.

    A category: a box of the target for each label. All else: the rows as points, and the median of
    the target in equal parts of the rows, ordered by the feature.
    """
    if kind == "category":
        return _plot_boxes(values.fillna(MISSING), target)
    plot, axes = new_figure(grid="both")
    pairs = pd.DataFrame({"x": as_numbers(values, kind), "y": target}).dropna()
    points(axes, pairs["x"], pairs["y"])
    parts = min(len(pairs) // ROWS_FOR_MEDIAN, 10)
    if parts > 1 and pairs["x"].nunique() > 1:
        part = pd.qcut(pairs["x"], parts, duplicates="drop")
        trend = pairs.groupby(part, observed=True).median()
        axes.plot(trend["x"], trend["y"], "o-", color=ORANGE, markersize=4)
    axes.set_xlim(*padded_range(pairs["x"]))
    axes.set_ylim(*padded_range(pairs["y"]))
    label_values(axes.xaxis, kind)
    return plot


def _plot_boxes(values: pd.Series, target: pd.Series) -> Figure:
    labels = frequent_labels(values, 8)
    own = {label: target[values == label] for label in labels}
    labels.sort(key=lambda label: own[label].median(), reverse=True)
    plot, axes = new_figure(grid="x")
    for place, label in enumerate(labels):
        box(axes, own[label], place, 0.6)
    ticks = [f"{shorten(label, 14)} {len(own[label]):,}" for label in labels]
    axes.set_yticks(range(len(labels)), ticks)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(*padded_range(target))
    return plot
