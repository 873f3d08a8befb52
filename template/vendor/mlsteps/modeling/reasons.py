"""Why a row is strange: what each feature adds to its score."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from ..preparation.row_encoder import label_widths
from ..preparation.schema import Schema
from ..problem.columns import convert
from .detector import Detector

MOST_REASONS = 3
LEAST_PART = 0.2  # of what the strongest reason adds; what adds less is not named
MOST_NUMBERS = 2_000_000  # that are made at a time


def typical(encoder: ColumnTransformer, schema: Schema) -> dict[str, Any]:
    """Return a typical row as numbers, and whose each number is.

    Returns
    -------
    dict
        ``typical``, with the median of each feature or its most frequent label; ``owners``, the
        feature that each number was made of; ``ordered``, the features that are high or low.
    """
    examples = {c.name: pd.Series([c.example], name=c.name) for c in schema.features}
    kinds = {c.name: c.kind for c in schema.features}
    row = pd.DataFrame({name: convert(x, kinds[name]) for name, x in examples.items()})
    return {
        "typical": encoder.transform(row)[0].tolist(),
        "owners": _owners(encoder),
        "ordered": [name for name, kind in kinds.items() if kind == "number"],
    }


def _owners(encoder: ColumnTransformer) -> list[str]:
    owners: list[str] = []
    for part, transformer, columns in encoder.transformers_:
        if part == "category":
            owners += np.repeat(list(columns), label_widths(transformer)).tolist()
        elif part == "date":
            owners += [str(name).rpartition("_")[0] for name in transformer[0].names_]
        elif part == "number":
            owners += list(columns)
        elif part != "remainder":  # a text, which has the part to itself
            owners += list(columns) * len(transformer.get_feature_names_out())
    return owners


def reasons(detector: Detector, numbers: np.ndarray, known: dict[str, Any]) -> list[str]:
    """Name the features that make rows strange, the strongest first.

    What a feature adds to the score is the mean of what it adds to a typical row, and of what is
    lost when it alone becomes typical: the first and the last of the orders that Shapley values
    (Lundberg and Lee, 2017) are the mean of. The one alone would miss what is strange only in
    company, the other what several features say together.

    Parameters
    ----------
    numbers : ndarray of (n, encoded columns)
        The rows.
    known
        From `typical`.

    Returns
    -------
    list of str
        Such as "high area; low texture; unusual colour", one for each row.
    """
    usual, owners = np.array(known["typical"]), np.array(known["owners"])
    features = list(dict.fromkeys(known["owners"]))
    mine = np.array([owners == name for name in features])
    step = max(1, MOST_NUMBERS // (2 * mine.size))
    return [
        _words(added, row[mine.argmax(axis=1)] - usual[mine.argmax(axis=1)], features, known)
        for start in range(0, len(numbers), step)
        for added, row in zip(
            _added(detector, numbers[start : start + step], usual, mine),
            numbers[start : start + step],
            strict=True,
        )
    ]


def _added(
    detector: Detector, numbers: np.ndarray, usual: np.ndarray, mine: np.ndarray
) -> np.ndarray:
    """Return (rows, features) of what each feature adds to the score of each row."""
    rows = numbers[:, None, :]
    lonely = np.where(mine, rows, usual)  # typical but for one feature
    mended = np.where(mine, usual, rows)  # typical in one feature
    asked = np.vstack([usual[None, :], numbers, *lonely, *mended])
    scores = detector.score(asked)
    plain, whole = scores[0], scores[1 : len(numbers) + 1]
    alone, left = scores[len(numbers) + 1 :].reshape(2, len(numbers), len(mine))
    added: np.ndarray = ((alone - plain) + (whole[:, None] - left)) / 2
    return added


def _words(
    added: np.ndarray, beyond: np.ndarray, features: list[str], known: dict[str, Any]
) -> str:
    found = [k for k in np.argsort(-added, kind="stable") if added[k] > LEAST_PART * added.max()]
    ordered = set(known["ordered"])
    return "; ".join(
        f"{_how(beyond[k], features[k] in ordered)} {features[k]}" for k in found[:MOST_REASONS]
    )


def _how(beyond: float, ordered: bool) -> str:
    return ("high" if beyond > 0 else "low") if ordered else "unusual"
