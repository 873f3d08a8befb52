"""How the numbers among the features go together."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..plots import heat_map, new_figure, shorten, tilt_labels
from ..problem.settings import Kind
from .drawing import label_values, padded_range, points

FEW_COLUMNS = 12  # up to so many, the cells of the heat map hold their numbers


def correlate(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's rank correlation of each two columns, over the rows that have both."""
    varying = numbers.loc[:, numbers.nunique() > 1]
    return varying.rank().corr()


def strongest_pairs(correlations: pd.DataFrame, most: int) -> list[tuple[str, str, float]]:
    """Return the two columns and the correlation of the strongest pairs, the strongest first."""
    values = correlations.to_numpy()
    first, second = np.triu_indices(len(values), k=1)
    strengths = np.nan_to_num(np.abs(values[first, second]))
    order = np.argsort(-strengths, kind="stable")[:most]
    names = correlations.columns
    return [
        (names[i], names[j], values[i, j]) for i, j in zip(first[order], second[order], strict=True)
    ]


def plot_correlations(correlations: pd.DataFrame) -> Figure:
    """Draw the correlations as a heat map."""
    count = len(correlations)
    size = float(np.clip(1.6 + 0.42 * count, 3.6, 8))
    plot, axes = new_figure(width=size, height=0.85 * size, grid="")
    values = correlations.to_numpy(copy=True)
    np.fill_diagonal(values, np.nan)
    texts = [
        ["" if np.isnan(v) else f"{v + 0:.2f}".replace("-", "−") for v in line]
        for line in values.round(2)
    ]
    heat_map(
        axes,
        values,
        correlations.index,
        correlations.columns,
        texts if count <= FEW_COLUMNS else None,
        diverging=True,
        limit=1.0,
    )
    tilt_labels(axes)
    return plot


def plot_pair(numbers: pd.DataFrame, kinds: Mapping[str, Kind], first: str, second: str) -> Figure:
    """Draw two columns against each other."""
    plot, axes = new_figure(grid="both")
    both = numbers[[first, second]].dropna()
    points(axes, both[first], both[second])
    axes.set_xlim(*padded_range(both[first]))
    axes.set_ylim(*padded_range(both[second]))
    label_values(axes.xaxis, kinds[first])
    label_values(axes.yaxis, kinds[second])
    axes.set_xlabel(shorten(first, 30))
    axes.set_ylabel(shorten(second, 30))
    return plot
