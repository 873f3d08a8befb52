"""Features of every kind are made comparable by cutting them into groups of rows."""

import numpy as np
import pandas as pd

from ..problem.settings import Kind
from .columns import as_numbers

NUMBER_GROUPS = 10
MOST_LABELS = 30


def groups(values: pd.Series, kind: Kind) -> np.ndarray:
    """Cut a column into groups of rows.

    A number, date or text (by its length) is cut at its deciles; a category has a group for each
    of its frequent labels and one for all others. Missing values are a group of their own.

    Returns
    -------
    ndarray of int, shape (rows,)
        The group of each row, counted from 0.
    """
    if kind == "category":
        codes, labels = pd.factorize(values)
        frequent = np.argsort(-np.bincount(codes[codes >= 0], minlength=len(labels)))[:MOST_LABELS]
        kept = np.isin(codes, frequent) | (codes < 0)
        return np.unique(np.where(kept, codes, len(labels)), return_inverse=True)[1]
    numbers = as_numbers(values, kind).to_numpy()
    present = numbers[~np.isnan(numbers)]
    if present.size == 0:
        return np.zeros(len(numbers), dtype=int)
    cuts = np.unique(np.quantile(present, np.linspace(0, 1, NUMBER_GROUPS + 1)[1:-1]))
    codes = np.where(np.isnan(numbers), len(cuts) + 1, np.searchsorted(cuts, numbers))
    return np.unique(codes, return_inverse=True)[1]


def cramers_v(one: np.ndarray, other: np.ndarray) -> float:
    """Return how much two groupings of the rows tell about each other, 0 to 1.

    Cramér's V with the correction of Bergsma (2013), "A bias-correction for Cramér's V and
    Tschuprow's T", so that many small groups do not look strong by chance.
    """
    shape = (one.max() + 1, other.max() + 1)
    observed = np.bincount(one * shape[1] + other, minlength=shape[0] * shape[1]).reshape(shape)
    n = observed.sum()
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / n
    phi = np.sum((observed - expected) ** 2 / expected) / n
    by_chance = [(k - 1) ** 2 / max(n - 1, 1) for k in shape]
    phi -= (shape[0] - 1) * (shape[1] - 1) / max(n - 1, 1)
    most = min(k - 1 - chance for k, chance in zip(shape, by_chance, strict=True))
    return float(np.sqrt(min(max(phi, 0) / most, 1))) if most > 0 else 0.0
