"""How a score becomes an alarm, what the reasons for it are, and how a detector is scored."""

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import Pipeline

from ..preparation.schema import Schema
from ..problem.anomaly_detection import ANOMALY, DISTANCE, LABELLED, NORMAL
from ..problem.columns import convert
from ..problem.definition import Definition
from ..problem.metric import Metric

if TYPE_CHECKING:  # a predictor is loaded without the search
    from .encoding import EncodedFold
    from .estimators import Detector
    from .search import Trial

MOST_REASONS = 3
LEAST_PART = 0.2  # of what the strongest reason adds; what adds less is not named
MOST_NUMBERS = 2_000_000  # that are made at a time
MOST_VALUES = 1000  # of each feature, to see which numbers follow from it


def default_decision(target: pd.Series, definition: Definition) -> dict[str, Any]:
    """Return the decision before training: nothing is flagged."""
    return {"classes": [NORMAL, ANOMALY], "threshold": np.inf}


def learn_decision(
    target: pd.Series, predictions: pd.DataFrame, definition: Definition
) -> dict[str, Any]:
    """Return the threshold: the score above which lie as many rows as shall be flagged."""
    threshold = predictions["score"].quantile(1 - definition.problem.flagged_share)
    return default_decision(target, definition) | {"threshold": float(threshold)}


def predict(
    estimator: "Detector", numbers: np.ndarray, decision: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Predict of each row whether it is an anomaly, how strange it is, and why."""
    scores = estimator.score(numbers)
    flagged = scores > decision["threshold"]
    why = np.full(len(scores), "", dtype=object)
    if flagged.any() and "typical" in decision:
        why[flagged] = _reasons(estimator, numbers[flagged], decision)
    return {"prediction": _label(flagged), "score": scores, "reasons": why}


def decide(scores: pd.Series, threshold: float) -> pd.DataFrame:
    """Return predictions that flag the rows above a threshold."""
    return pd.DataFrame({"prediction": _label(scores > threshold), "score": scores})


def flag(scores: pd.Series, share: float) -> pd.DataFrame:
    """Return predictions that flag this share of the rows."""
    return decide(scores, float(scores.quantile(1 - share)))


def _label(flagged: np.ndarray | pd.Series) -> np.ndarray:
    return np.where(flagged, ANOMALY, NORMAL).astype(object)


def add_metric_columns(predictions: pd.DataFrame, numbers: np.ndarray) -> pd.DataFrame:
    """Return predictions with the score of the baseline: the distance to the mean."""
    distances = np.linalg.norm(numbers - numbers.mean(axis=0), axis=1)
    return predictions.assign(**{DISTANCE: distances})


def score_trial(
    trial: "Trial",
    fitted: Iterable[tuple["Detector", "EncodedFold"]],
    metric: Metric,
    definition: Definition,
) -> None:
    """Give a trial its scores and predictions, of the rows that each fold leaves out.

    How far these models flag the same rows of all, beyond chance (Cohen's kappa, 1960), is the
    stability. A fold whose rows are all normal, or all anomalies, has no score by their labels.
    """
    problem = definition.problem
    labelled, scores, flagged, held_out = problem.metric in LABELLED, [], [], []
    for estimator, fold in fitted:
        found = pd.Series(estimator.score(fold.numbers), fold.target.index)
        predictions = flag(found, problem.flagged_share)
        flagged.append(predictions["prediction"])
        held_out.append(predictions.iloc[fold.held_out])
        if labelled:
            scores.append(metric(fold.target.iloc[fold.held_out], held_out[-1]))
    agreed = [float(cohen_kappa_score(*pair)) for pair in combinations(flagged, 2)]
    trial.scores = [score for score in scores if np.isfinite(score)] if labelled else agreed
    if not trial.scores:
        raise ValueError("no fold has both normal rows and anomalies")
    trial.measure("stability", agreed)
    trial.predictions = pd.concat(held_out)


def fit_baselines(*_: Any) -> dict[str, dict[str, Any]]:
    """Return what baselines have to be fitted: none."""
    return {}


def describe_model(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return a typical row as numbers, and which numbers follow from which feature.

    For the latter, each feature of the typical row is given the values of other rows in turn: so it
    holds for whatever an encoder is made of.
    """
    encoder = pipeline[0]
    columns = {column.name: column for column in schema.features}
    examples = {name: pd.Series([c.example], name=name) for name, c in columns.items()}
    row = pd.DataFrame({name: convert(x, columns[name].kind) for name, x in examples.items()})
    typical = encoder.transform(row)[0]
    positions = {}
    for name in columns:
        values = features[name].drop_duplicates().head(MOST_VALUES).reset_index(drop=True)
        changed = row.loc[[0] * len(values)].reset_index(drop=True).assign(**{name: values})
        same = np.isclose(encoder.transform(changed), typical, rtol=0, atol=0, equal_nan=True)
        if not same.all():
            positions[name] = np.flatnonzero(~same.all(axis=0)).tolist()
    ordered = [name for name, column in columns.items() if column.kind == "number"]
    return {"typical": typical.tolist(), "positions": positions, "ordered": ordered}


def _reasons(detector: "Detector", numbers: np.ndarray, known: dict[str, Any]) -> list[str]:
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
    detector: "Detector", numbers: np.ndarray, typical: np.ndarray, masks: np.ndarray
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
