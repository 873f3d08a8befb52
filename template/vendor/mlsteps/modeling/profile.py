"""What a cluster is like, in plain words: what is high, what is low, and what is typical."""

import numpy as np
import pandas as pd

from ..problem.columns import Column
from ..report import number

MOST_WORDS = 4  # things that are said about a cluster
NOTABLE, STRONG = 0.5, 1.25  # standard deviations between its mean and the mean of all rows
MORE = 0.2  # by which a label's share is above its share in all rows


def profile(features: pd.DataFrame, inside: np.ndarray, columns: list[Column]) -> str:
    """Describe the rows `inside` a cluster against all rows, the most telling first."""
    told = [(_number if c.kind in {"number", "date"} else _label) for c in columns]
    found = [
        tell(features[c.name], inside)
        for c, tell in zip(columns, told, strict=True)
        if c.kind != "text" and features.loc[inside, c.name].notna().any()
    ]
    telling = sorted((f for f in found if f), key=lambda f: -f[0])[:MOST_WORDS]
    return "; ".join(words for _, words in telling) or "typical in every column"


def _number(values: pd.Series, inside: np.ndarray) -> tuple[float, str] | None:
    """Return how far the cluster's mean lies from that of all, and what to say about it."""
    dates = pd.api.types.is_datetime64_any_dtype(values)
    numbers = values.astype("int64").where(values.notna()).astype(float) if dates else values
    deviation = numbers.std()
    if not deviation > 0:
        return None
    effect = (numbers[inside].mean() - numbers.mean()) / deviation
    if abs(effect) < NOTABLE:
        return None
    words = {True: "late" if dates else "high", False: "early" if dates else "low"}[effect > 0]
    very = "very " if abs(effect) >= STRONG else ""
    middle, all_ = (x.median() for x in (values[inside], values))
    said = (f"{m:%Y-%m-%d}" if dates else number(m) for m in (middle, all_))
    typical, of_all = said
    return abs(effect), f"{very}{words} {values.name} (typically {typical}, of all {of_all})"


def _label(values: pd.Series, inside: np.ndarray) -> tuple[float, str] | None:
    """Return how much oftener the cluster has a label than all rows, and what to say about it."""
    shares = values[inside].value_counts(normalize=True)
    of_all = values.value_counts(normalize=True).reindex(shares.index)
    more = shares - of_all
    label = more.idxmax()
    if more[label] < MORE:
        return None
    mostly = "mostly" if shares[label] > 0.5 else "often"
    effect = more[label] / np.sqrt(of_all[label] * (1 - of_all[label]))
    return (
        effect,
        f"{mostly} {values.name} {label} ({shares[label]:.0%}, of all {of_all[label]:.0%})",
    )
