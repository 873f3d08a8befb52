"""What rows without a target look like: how features go together, and a map of the rows."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from ..plots import bars, new_figure
from ..preparation.schema import Schema
from ..report import columns, figure, heading
from .drawing import WEAK, frequent_labels, left_out, padded_range, points
from .ranking import cramers_v, groups

ORDER = "What goes together most with another feature comes first."
SHOWN_STRENGTHS = 20
RANKED_ROWS = 2000  # each two features are compared
MAP_ROWS = 2000
MOST_LABELS = 50  # of a category, in the map


def rank_features(rows: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return the association of each feature with the one it goes together with most, 0 to 1."""
    sample = rows.sample(min(len(rows), RANKED_ROWS), random_state=0)
    cut = [groups(sample[c.name], c.kind) for c in schema.features]
    strengths = np.zeros(len(cut))
    for i, one in enumerate(cut):
        for j, other in enumerate(cut[:i]):
            strength = cramers_v(one, other)
            strengths[[i, j]] = np.maximum(strengths[[i, j]], strength)
    ranked = pd.Series(strengths, [c.name for c in schema.features])
    return ranked.sort_values(ascending=False, kind="stable")


def strongest(strengths: pd.Series, schema: Schema) -> str:
    """Say which features go together most."""
    if strengths.iloc[0] < WEAK:
        return "no two features go together"
    return f"{' and '.join(strengths.index[:2])} go together with others most"


def insights(sample: pd.DataFrame, schema: Schema, strengths: pd.Series) -> list[str]:
    """Return the sections of the report about the features together."""
    shown = strengths.head(SHOWN_STRENGTHS)
    ranking, axes = new_figure(height=0.5 + 0.2 * len(shown), grid="x")
    bars(axes, shown.index, shown.to_list(), [f"{strength:.2f}" for strength in shown])
    caption = (
        "Cramér's V, bias-corrected, with numbers cut at their deciles: each feature with the one "
        f"that it goes together with most.{left_out(len(shown), len(strengths))}"
    )
    return [
        heading("How the features go together"),
        columns(figure(ranking, caption, "Association"), *_maps(sample, schema)),
    ]


def _maps(sample: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the rows in the two directions that keep most, and what each direction keeps."""
    rows = sample.sample(min(len(sample), MAP_ROWS), random_state=0)
    numbers = _numbers(rows, schema)
    if min(numbers.shape) < 2:
        return []
    flat = PCA(min(*numbers.shape, 10), random_state=0).fit(numbers)
    kept = np.nan_to_num(flat.explained_variance_ratio_)
    first, second = (pd.Series(axis) for axis in flat.transform(numbers)[:, :2].T)
    plot, axes = new_figure(grid="both")
    points(axes, first, second)
    axes.set_xlim(*padded_range(first))
    axes.set_ylim(*padded_range(second))
    axes.set(xlabel="first principal component", ylabel="second")
    scree, axes = new_figure()
    axes.bar(range(1, len(kept) + 1), kept)
    axes.set(xlabel="principal component", ylabel="share of the variance")
    caption = f"The two directions that keep most: {kept[:2].sum():.0%} of the variance."
    return [
        figure(plot, caption, "Map of the rows"),
        figure(scree, "What each direction keeps.", "Principal components"),
    ]


def _numbers(rows: pd.DataFrame, schema: Schema) -> np.ndarray:
    """Return numbers scaled to mean 0 and deviation 1, and a column for each frequent label."""
    kinds = {column.name: column.kind for column in schema.features}
    numbers = rows[[name for name, kind in kinds.items() if kind == "number"]]
    numbers = numbers.fillna(numbers.median()).fillna(0.0)
    scaled = (numbers - numbers.mean()) / numbers.std(ddof=0).replace(0, 1)
    labels = [name for name, kind in kinds.items() if kind == "category"]
    frequent = {name: rows[name].where(rows[name].isin(frequent_labels(rows[name], MOST_LABELS))) for name in labels}
    codes = [pd.get_dummies(values).to_numpy(float) for values in frequent.values()]
    return np.hstack([scaled.to_numpy(), *codes])
