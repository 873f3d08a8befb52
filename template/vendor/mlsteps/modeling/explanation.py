"""Why a prediction is what it is: how far each feature moves it from that of a typical row."""

from collections.abc import Callable
from itertools import permutations
from typing import TypedDict

import numpy as np
import pandas as pd

from ..preparation.schema import Schema
from ..problem.classification import PROBABILITY
from ..problem.columns import column_of
from ..report import counted, number

EXPLAINED = {"regression": "prediction", "clustering": "distance", "anomaly_detection": "score"}
FEW_FEATURES = 4  # have 24 orders at most: all of them are taken
MOST_PAIRS, FEATURES_OF_PAIRS = 10, 200  # of drawn orders; fewer where they have more features
MOST_ROWS = 20_000  # that are predicted at a time
NAMED = 5
NO_SERIES = "Predictions of rows are explained; a forecast follows from the history of its series."

Predict = Callable[[pd.DataFrame], pd.DataFrame]


class Explanation(TypedDict):
    """How a number of a prediction comes about: it is `typical` and all `effects` together."""

    explained: str
    typical: float
    effects: dict[str, float]


def explain(features: pd.DataFrame, schema: Schema, predict: Predict) -> list[Explanation]:
    """Explain each prediction by the effects of its features, the strongest first.

    An effect is a Shapley value (Strumbelj and Kononenko, 2014) against the typical row of the
    schema: what a feature adds when the features of the typical row are replaced by the row's own,
    one after the other, in the mean over orders. Of more than four features some orders are drawn,
    each with its reverse (Mitchell et al., 2022). In every order the effects add up.
    """
    rows = _with_typical(features, schema)
    orders = _orders(rows.shape[1])
    masks, places = np.unique(_masks(orders), axis=0, return_inverse=True)
    step = max(1, MOST_ROWS // len(masks))
    found: list[Explanation] = []
    for start in range(1, len(rows), step):
        part = np.arange(start, min(start + step, len(rows)))
        predictions = predict(_mixed(rows, part, masks))
        names = _explained(predictions.iloc[len(masks) - 1 :: len(masks)], schema)
        for name, values in zip(names, _by_row(predictions, names, len(masks)), strict=True):
            path = values[places.reshape(len(orders), -1)]  # of each order, feature by feature
            added = np.take_along_axis(np.diff(path), np.argsort(orders), axis=1).mean(axis=0)
            effects = {rows.columns[k]: float(added[k]) for k in np.argsort(-np.abs(added))}
            found.append({"explained": name, "typical": float(path[0, 0]), "effects": effects})
    return found


def in_words(explanation: Explanation) -> str:
    """Write an explanation in a line: the strongest effects, the others, and where they start."""
    effects = [(name, effect) for name, effect in explanation["effects"].items() if effect]
    parts = [f"{name} {_signed(effect)}" for name, effect in effects[:NAMED]]
    if others := effects[NAMED:]:
        rest = sum(effect for _, effect in others)
        parts.append(f"{counted(len(others), 'other')} {_signed(rest)}")
    start = f"{explanation['explained']} of a typical row {_plain(explanation['typical'])}"
    return "; ".join([start, *parts])


def _signed(effect: float) -> str:
    return f"{'+' if effect >= 0 else ''}{_plain(effect)}"


def _plain(value: float) -> str:
    return number(value).replace("−", "-")  # a file may have an encoding that lacks it


def _with_typical(features: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the features below those of a typical row, which get the types of the others."""
    columns = {}
    for name, example in schema.typical_features().items():
        given = column_of(features, name)
        # To a column of truth values any text is true.
        typical = example == "True" if pd.api.types.is_bool_dtype(given) else example
        columns[name] = pd.concat([typical.astype(given.dtype), given], ignore_index=True)
    return pd.DataFrame(columns, copy=False)


def _orders(count: int) -> np.ndarray:
    """Return the orders in which features are taken, a line for each."""
    if count <= FEW_FEATURES:
        return np.array([*permutations(range(count))])
    generator = np.random.default_rng(0)
    pairs = np.clip(FEATURES_OF_PAIRS // count, 2, MOST_PAIRS)
    drawn = np.array([generator.permutation(count) for _ in range(pairs)])
    return np.vstack([drawn, drawn[:, ::-1]])


def _masks(orders: np.ndarray) -> np.ndarray:
    """Return which features are a row's own, from none to all, order by order."""
    count = orders.shape[1]
    steps = np.tri(count + 1, count, -1, dtype=bool)
    return np.vstack([steps[:, place] for place in np.argsort(orders, axis=1)])


def _mixed(rows: pd.DataFrame, part: np.ndarray, masks: np.ndarray) -> pd.DataFrame:
    """Return each row once for every mask, with the features of the first row outside of it."""
    columns = {}
    for mask, (name, values) in zip(masks.T, rows.items(), strict=True):
        columns[name] = values.array.take(np.where(mask, part[:, None], 0).ravel())
    return pd.DataFrame(columns, copy=False)


def _explained(predictions: pd.DataFrame, schema: Schema) -> list[str]:
    """Return of each row which number is explained.

    Of two classes it is the probability of the positive one, of more that of the predicted one.
    """
    classes = schema.decision.get("classes", [])
    if schema.problem in EXPLAINED or len(classes) == 2:
        name = EXPLAINED.get(schema.problem) or f"{PROBABILITY}{classes[-1]}"
        return [name] * len(predictions)
    shares = predictions.filter(regex=f"^{PROBABILITY}")
    chosen = PROBABILITY + predictions["prediction"].astype("str")
    # A rule of the project may predict what is no class.
    return chosen.where(chosen.isin(shares.columns), shares.idxmax(axis=1)).tolist()


def _by_row(predictions: pd.DataFrame, names: list[str], size: int) -> list[np.ndarray]:
    """Return the explained number of each row under every mask."""
    values = {name: predictions[name].to_numpy(float).reshape(-1, size) for name in set(names)}
    return [values[name][row] for row, name in enumerate(names)]
