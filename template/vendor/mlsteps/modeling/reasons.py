"""Why a row is strange: what each feature adds to its score."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from ..preparation.schema import Schema
from ..problem.columns import convert
from .estimators import Detector

MOST_REASONS = 3
LEAST_PART = 0.2  # of what the strongest reason adds; what adds less is not named
MOST_NUMBERS = 2_000_000  # that are made at a time
MOST_VALUES = 1000  # of each feature, to see which numbers follow from it


def describe_typical(
    encoder: ColumnTransformer, features: pd.DataFrame, schema: Schema
) -> dict[str, Any]:
    """Return a typical row as numbers, and which numbers follow from which feature.

    To learn the latter, each feature of the typical row is given the values of other rows in turn:
    so it holds for whatever an encoder is made of.
    """
    kinds = {column.name: column.kind for column in schema.features}
    examples = {c.name: pd.Series([c.example], name=c.name) for c in schema.features}
    row = pd.DataFrame({name: convert(x, kinds[name]) for name, x in examples.items()})
    typical = encoder.transform(row)[0]
    positions = {}
    for name in kinds:
        values = features[name].drop_duplicates().head(MOST_VALUES).reset_index(drop=True)
        changed = row.loc[[0] * len(values)].reset_index(drop=True).assign(**{name: values})
        same = np.isclose(encoder.transform(changed), typical, rtol=0, atol=0, equal_nan=True)
        differs = ~same.all(axis=0)
        if differs.any():
            positions[name] = np.flatnonzero(differs).tolist()
    ordered = [name for name, kind in kinds.items() if kind == "number"]
    return {"typical": typical.tolist(), "positions": positions, "ordered": ordered}


def reasons(detector: Detector, numbers: np.ndarray, known: dict[str, Any]) -> list[str]:
    """Name the features that make rows strange, the strongest first.

    What a feature adds to the score is the mean of what it adds to a typical row, and of what is
    lost when it alone becomes typical: the first and the last of the orders that Shapley values
    (Lundberg and Lee, 2017) are the mean of. The one alone would miss what is strange only in
    company, the other what several features say together.
    """
    typical, positions = np.array(known["typical"]), known["positions"]
    masks = np.zeros((len(positions), len(typical)), dtype=bool)
    for mask, own in zip(masks, positions.values(), strict=True):
        mask[own] = True
    firsts = [own[0] for own in positions.values()]
    step = max(1, MOST_NUMBERS // (2 * masks.size))
    named: list[str] = []
    for start in range(0, len(numbers), step):
        part = numbers[start : start + step]
        higher = part[:, firsts] > typical[firsts]
        added = _added(detector, part, typical, masks)
        named += [_words(*row, list(positions), known) for row in zip(added, higher, strict=True)]
    return named


def _added(
    detector: Detector, numbers: np.ndarray, typical: np.ndarray, masks: np.ndarray
) -> np.ndarray:
    """Return (rows, features) of what each feature adds to the score of each row."""
    rows = numbers[:, None, :]
    alone = np.where(masks, rows, typical)  # typical but for one feature
    without = np.where(masks, typical, rows)  # typical in one feature
    scores = detector.score(np.vstack([typical[None, :], numbers, *alone, *without]))
    usual, own = scores[0], scores[1 : len(numbers) + 1]
    alone, without = scores[len(numbers) + 1 :].reshape(2, len(numbers), len(masks))
    added: np.ndarray = ((alone - usual) + (own[:, None] - without)) / 2
    return added


def _words(
    added: np.ndarray, higher: np.ndarray, features: list[str], known: dict[str, Any]
) -> str:
    found = [k for k in np.argsort(-added, kind="stable") if added[k] > LEAST_PART * added.max()]
    words = [
        ("high" if higher[k] else "low") if features[k] in known["ordered"] else "unusual"
        for k in found[:MOST_REASONS]
    ]
    return "; ".join(f"{word} {features[k]}" for word, k in zip(words, found, strict=False))
