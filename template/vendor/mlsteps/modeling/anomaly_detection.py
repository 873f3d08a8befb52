"""How a score becomes an alarm, what the reasons for it are, and how a detector is scored."""

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import Pipeline

from ..preparation.schema import Schema
from ..problem.anomaly_detection import ANOMALY, DISTANCE, NORMAL
from ..problem.definition import Definition
from ..problem.metric import Metric

if TYPE_CHECKING:  # a predictor is loaded without the search
    from .encoding import EncodedFold
    from .estimators import Detector
    from .search import Trial

MOST_REASONS = 3
LEAST_PART = 0.2  # of what the strongest reason adds; what adds less is not named
EXPLAINED_ROWS = 500  # at a time: each is scored twice for each feature
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
    if "typical" in decision:
        places = np.flatnonzero(flagged)
        for start in range(0, len(places), EXPLAINED_ROWS):
            part = places[start : start + EXPLAINED_ROWS]
            why[part] = _reasons(estimator, numbers[part], decision)
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
    stability. A fold whose rows are all normal, or all anomalies, has no score by their labels; if
    none has, all rows together have one.
    """
    problem, flagged, held_out, targets = definition.problem, [], [], []
    for estimator, fold in fitted:
        found = pd.Series(estimator.score(fold.numbers), fold.target.index)
        predictions = flag(found, problem.flagged_share)
        flagged.append(predictions["prediction"])
        held_out.append(predictions.iloc[fold.held_out])
        targets.append(fold.target.iloc[fold.held_out])
    agreed = [float(cohen_kappa_score(*pair)) for pair in combinations(flagged, 2)]
    trial.measure("stability", agreed)
    trial.predictions, target, trial.scores = pd.concat(held_out), pd.concat(targets), agreed
    if problem.chosen_by(target):
        scores = [metric(*pair) for pair in zip(targets, held_out, strict=True)]
        trial.scores = [score for score in scores if np.isfinite(score)]
        trial.scores = trial.scores or [metric(target, trial.predictions)]
        if not np.isfinite(trial.mean):
            raise ValueError("the rows have no known anomalies, or no known normal ones")


def fit_baselines(*_: Any) -> dict[str, dict[str, Any]]:
    """Return what baselines have to be fitted: none."""
    return {}


def describe_model(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return a typical row as numbers, and which numbers follow from which feature.

    For the latter, each feature of the typical row is given the values of other rows in turn: so it
    holds for whatever an encoder is made of.
    """
    encoder, row, positions = pipeline[0], schema.typical_features(), {}
    typical = encoder.transform(row)[0]
    for name in row:
        values = features[name].drop_duplicates().head(MOST_VALUES).reset_index(drop=True)
        changed = row.loc[[0] * len(values)].reset_index(drop=True).assign(**{name: values})
        same = np.isclose(encoder.transform(changed), typical, rtol=0, atol=0, equal_nan=True)
        if not same.all():
            positions[name] = np.flatnonzero(~same.all(axis=0)).tolist()
    ordered = [column.name for column in schema.features if column.kind == "number"]
    return {"typical": typical.tolist(), "positions": positions, "ordered": ordered}


def _reasons(detector: "Detector", numbers: np.ndarray, known: dict[str, Any]) -> list[str]:
    """Name the features that make rows strange, the strongest first.

    What a feature adds to the score is the mean of what it adds to a typical row, and of what is
    lost when it alone becomes typical: the first and the last of the orders that Shapley values
    (Lundberg and Lee, 2017) are the mean of. The one alone would miss what is strange only in
    company, the other what several features say together.
    """
    typical, positions = np.array(known["typical"]), known["positions"]
    rows = [typical[None, :], numbers]
    for places in positions.values():
        alone, without = np.tile(typical, (len(numbers), 1)), numbers.copy()
        alone[:, places], without[:, places] = numbers[:, places], typical[places]
        rows += [alone, without]
    scores = detector.score(np.vstack(rows))
    usual, own, changed = scores[0], scores[1 : len(numbers) + 1], scores[len(numbers) + 1 :]
    pairs = changed.reshape(len(positions), 2, len(numbers))
    added = ((pairs[:, 0] - usual) + (own - pairs[:, 1])) / 2
    named = []
    for row, parts in zip(numbers, added.T, strict=True):
        words = []
        for k in np.argsort(-parts, kind="stable")[:MOST_REASONS]:
            name, first = list(positions)[k], list(positions.values())[k][0]
            if parts[k] > LEAST_PART * parts.max():
                way = "high" if row[first] > typical[first] else "low"
                words.append(f"{way if name in known['ordered'] else 'unusual'} {name}")
        named.append("; ".join(words))
    return named
