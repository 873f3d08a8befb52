"""Why rows of the test were predicted as they were: some typical ones, and those most wrong."""

import numpy as np
import pandas as pd

from ..modeling.explanation import in_words
from ..modeling.predictor import RowPredictor
from ..problem.classification import arrays
from ..report import heading, table

SHOWN = 3  # of each kind


def reasons(
    predictor: RowPredictor, features: pd.DataFrame, target: pd.Series, predictions: pd.DataFrame
) -> list[str]:
    """Return the section of the report."""
    errors, extreme = _errors(target, predictions)
    order = errors.dropna().sort_values(kind="stable").index
    middle = max(0, len(order) // 2 - SHOWN // 2)
    kinds = {"typical": order[middle : middle + SHOWN], extreme: order[::-1][:SHOWN]}
    lines = []
    for kind, rows in kinds.items():
        for row, why in zip(rows, predictor.explain_features(features.loc[rows]), strict=True):
            known = {"true": target[row]} if pd.notna(target.get(row)) else {}
            predicted = predictions.loc[row, "prediction"]
            lines.append({"row": kind, **known, "prediction": predicted, "why": in_words(why)})
    return [heading(f"Why: rows that are typical, and those that are {extreme}"), table(lines)]


def _errors(target: pd.Series, predictions: pd.DataFrame) -> tuple[pd.Series, str]:
    """Return how far each prediction is from the truth, or each row from the others."""
    for name, extreme in (("score", "strangest"), ("distance", "furthest from their cluster")):
        if name in predictions:
            return predictions[name], extreme
    if pd.api.types.is_numeric_dtype(target):
        return (predictions["prediction"] - target).abs(), "most wrong"
    true, probabilities, _ = arrays(target, predictions)
    of_true = probabilities[np.arange(len(true)), true]
    return pd.Series(1 - of_true, predictions.index), "most wrong"
