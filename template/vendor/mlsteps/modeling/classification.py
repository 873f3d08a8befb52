"""How the probabilities of a classifier become decisions."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax
from sklearn.base import BaseEstimator

from ..problem.classification import PROBABILITY, arrays
from ..problem.definition import Definition

PRIOR_DEVIATION = 2.0  # of the log of the slope, and of each bias, before rows are seen


def default_decision(target: pd.Series, definition: Definition) -> dict[str, Any]:
    """Return the decision before training: probabilities as they are, the likelier class.

    The positive class stands last.
    """
    classes = sorted(target.unique(), key=lambda c: (c == definition.problem.positive, c))
    return {"classes": classes, "slope": 1.0, "bias": [0.0] * len(classes), "threshold": 0.5}


def learn_decision(
    target: pd.Series, predictions: pd.DataFrame, definition: Definition
) -> dict[str, Any]:
    """Learn calibration and threshold from out-of-fold predictions.

    Calibration is bias-corrected temperature scaling (Alexandari, Kundaje and Shrikumar, 2020):
    with two classes that is Platt's scaling. The threshold is the probability of the positive
    class from which predicting it costs least, by the costs in [evaluation]; where none is known,
    from which as many are missed as are false alarms. Only two classes have one.
    """
    decision = default_decision(target, definition)
    true, probabilities, _ = arrays(target, predictions)
    if definition.evaluation.calibrate:
        decision |= _calibrate(true, probabilities)
    if len(decision["classes"]) == 2:
        positive = _calibrated(probabilities, decision)[:, 1]
        decision["threshold"] = _cheapest_threshold(true == 1, positive, definition)
    return decision


def predict(
    estimator: BaseEstimator, numbers: np.ndarray, decision: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Predict the class of each row, and the probability of every class."""
    order = [list(estimator.classes_).index(name) for name in decision["classes"]]
    probabilities = class_probabilities(estimator, numbers)[:, order]
    return decide(_calibrated(probabilities, decision), decision)


def decide(probabilities: np.ndarray, decision: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the class that a decision takes for each row, and the probability of every class."""
    classes = decision["classes"]
    if len(classes) == 2:
        chosen = (probabilities[:, 1] >= decision["threshold"]).astype(int)
    else:
        chosen = probabilities.argmax(axis=1)
    predictions = {"prediction": np.array(classes, dtype=object)[chosen]}
    predictions |= {f"{PROBABILITY}{name}": probabilities[:, k] for k, name in enumerate(classes)}
    return predictions


def as_numbers(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return which class each row is of, and the probabilities, both (rows, classes)."""
    true, probabilities, _ = arrays(target, predictions)
    return np.eye(probabilities.shape[1])[true], np.nan_to_num(probabilities)


def class_probabilities(estimator: BaseEstimator, numbers: np.ndarray) -> np.ndarray:
    """Return (n, classes) probabilities; a margin (of an SVM) is made one, and calibrated later."""
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(numbers)
    margin = estimator.decision_function(numbers)
    if margin.ndim == 1:
        return np.column_stack([expit(-margin), expit(margin)])
    return softmax(margin, axis=1)


def _calibrated(probabilities: np.ndarray, decision: dict[str, Any]) -> np.ndarray:
    if decision["slope"] == 1 and not any(decision["bias"]):
        return probabilities
    return softmax(_log(probabilities) * decision["slope"] + decision["bias"], axis=1)


def _calibrate(true: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Return the slope and the biases with the least log loss, and a weak prior for none.

    Where out-of-fold predictions of few rows are all right, the log loss alone would make them
    ever surer; with thousands of rows the prior has no weight.
    """
    logs, rows = _log(probabilities), np.arange(len(true))

    def loss(parameters: np.ndarray) -> float:
        scores = logs * parameters[0] + np.append(parameters[1:], 0)
        misfit = -log_softmax(scores, axis=1)[rows, true].sum()
        surprise = np.log(parameters[0]) ** 2 + np.sum(parameters[1:] ** 2)
        return float(misfit + surprise / (2 * PRIOR_DEVIATION**2)) / len(true)

    start = np.append(1.0, np.zeros(probabilities.shape[1] - 1))
    bounds = [(0.01, 100), *[(-20, 20)] * (len(start) - 1)]
    best = minimize(loss, start, bounds=bounds, method="L-BFGS-B").x
    return {"slope": float(best[0]), "bias": [*map(float, best[1:]), 0.0]}


def _cheapest_threshold(true: np.ndarray, positive: np.ndarray, definition: Definition) -> float:
    """Return the threshold with the least total cost on these rows, see `learn_decision`.

    Between two neighbouring probabilities the cost is the same, so their middle is taken.
    """
    costs = definition.evaluation
    order = np.argsort(positive)
    scores, hits = positive[order], true[order]
    # With the k lowest rows predicted negative: the positives among them are missed, and the
    # negatives above them are false alarms.
    missed = np.append(0, np.cumsum(hits))
    alarms = np.sum(~hits) - np.append(0, np.cumsum(~hits))
    if costs.false_negative_cost == "auto":
        total = np.abs(missed - alarms)
    else:
        total = missed * costs.false_negative_cost + alarms * costs.false_positive_cost
    ends = np.append(np.append(0.0, (scores[1:] + scores[:-1]) / 2), 1.0)
    possible = np.append(np.append(True, scores[1:] > scores[:-1]), True)
    return float(ends[np.argmin(np.where(possible, total, np.inf))])


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities, 1e-12, 1))
