"""What is particular to predicting a class: its target, metrics and baselines."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from ..errors import UserError
from .columns import labels
from .metric import Metric, average_precision, roc_area
from .settings import UNKNOWN_BAR, Kind, Label, RowEvaluation, Supervised

PROBABILITY = "probability_"
MOST_CLASSES = 100
RARE = 0.1  # below this share of positives, ROC AUC flatters; PR AUC does not


class Problem(Supervised):
    """``[problem]``: what is predicted and what is good enough."""

    target_kind: ClassVar[Kind] = "category"

    type: Literal["classification"]
    baseline: Literal["most_frequent", "prior"]
    positive: Label = ""


class Evaluation(RowEvaluation):
    """``[evaluation]``: what mistakes cost, and which slices are looked at."""

    calibrate: bool = True
    false_positive_cost: float = Field(default=1.0, gt=0)
    false_negative_cost: float = Field(default=1.0, gt=0)


def arrays(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return what the metrics take, each with one entry for a row."""
    columns = predictions.filter(regex=f"^{PROBABILITY}")
    classes = pd.Index([name.removeprefix(PROBABILITY) for name in columns.columns])
    true, probabilities = classes.get_indexer(labels(target)), columns.to_numpy()
    if (true < 0).any():
        true = np.where(true < 0, len(classes), true)
        probabilities = np.column_stack([probabilities, np.zeros(len(true))])
    return true, probabilities, classes.get_indexer(predictions["prediction"])


def _mean_over_classes(
    area: Callable[[np.ndarray, np.ndarray], float], true: np.ndarray, probabilities: np.ndarray
) -> float:
    """Return the area for the positive class, or the mean of each class against the rest."""
    if probabilities.shape[1] == 2:
        return area(true == 1, probabilities[:, 1])
    return float(np.mean([area(true == k, probabilities[:, k]) for k in np.unique(true)]))


def _roc_auc(true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    return _mean_over_classes(roc_area, true, probabilities)


def _pr_auc(true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    return _mean_over_classes(average_precision, true, probabilities)


def _accuracy(true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(true == predicted))


def _balanced_accuracy(true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean([np.mean(predicted[true == k] == k) for k in np.unique(true)]))


def _f1(true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    """Return F1 of the positive class; the mean over the classes if more than two."""
    classes = [1] if probabilities.shape[1] == 2 else np.union1d(true, predicted)
    hits = [np.sum((true == k) & (predicted == k)) for k in classes]
    named = [np.sum(true == k) + np.sum(predicted == k) for k in classes]
    return float(np.mean([2 * h / n if n else 0.0 for h, n in zip(hits, named, strict=True)]))


def _log_loss(true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    own = probabilities[np.arange(len(true)), true]
    return float(-np.mean(np.log(np.clip(own, 1e-15, 1))))


def _brier(true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean squared error of the probabilities, halved so that it lies in 0 to 1."""
    hit = np.eye(probabilities.shape[1])[true]
    return float(np.mean(np.sum((probabilities - hit) ** 2, axis=1)) / 2)


METRICS = {
    "roc_auc": Metric(_roc_auc, higher_is_better=True, title="ROC AUC", arrays=arrays),
    "pr_auc": Metric(_pr_auc, higher_is_better=True, title="PR AUC", arrays=arrays),
    "accuracy": Metric(_accuracy, higher_is_better=True, title="Accuracy", arrays=arrays),
    "balanced_accuracy": Metric(
        _balanced_accuracy, higher_is_better=True, title="Balanced accuracy", arrays=arrays
    ),
    "f1": Metric(_f1, higher_is_better=True, title="F1", arrays=arrays),
    "log_loss": Metric(_log_loss, higher_is_better=False, title="Log loss", arrays=arrays),
    "brier": Metric(_brier, higher_is_better=False, title="Brier score", arrays=arrays),
}


def suggest_problem(rows: int, target: pd.Series) -> dict[str, tuple[Any, str]]:
    """Return the metric and the bar for new data, each with its reason: what guessing reaches."""
    shares = labels(target).value_counts(normalize=True)
    if len(shares) != 2:
        positive, metric, minimum = ("", "more than two classes"), "roc_auc", 0.5
    else:
        other = (
            f'the rarer class ({shares.iloc[1]:.1%}); change it to "{shares.index[0]}" if need be'
        )
        positive, metric, minimum = (str(shares.index[1]), other), "roc_auc", 0.5
        if shares.iloc[1] < RARE:
            metric, minimum = "pr_auc", float(f"{shares.iloc[1]:.3g}")
    return {
        "positive": positive,
        "metric": (metric, "positives are rare" if metric == "pr_auc" else ""),
        "baseline": ("prior", ""),
        "minimum": (minimum, UNKNOWN_BAR),
    }


def check_target(target: pd.Series, problem: Problem, folds: int) -> str:
    """Check that the target can be learnt as a class, and describe it in a sentence."""
    name = f'target "{problem.target}"'
    counts = labels(target).value_counts()
    if counts.empty:
        raise UserError(f"The {name} is missing in every row; at least two classes are needed.")
    if len(counts) == 1:
        raise UserError(f'The {name} has one class, "{counts.index[0]}"; at least two are needed.')
    if len(counts) > MOST_CLASSES:
        raise UserError(
            f"The {name} has {len(counts):,} classes, at most {MOST_CLASSES} are allowed; "
            "if it is a quantity, `copier update --data problem_type=regression` fits it."
        )
    if problem.positive and problem.positive not in counts.index:
        raise UserError(
            f'[problem] positive is "{problem.positive}", but the {name} has '
            f"{', '.join(map(str, counts.index[:10]))}."
        )
    if len(counts) == 2 and not problem.positive:
        raise UserError(
            f"[problem] positive is empty; name the class of the {name} that matters: "
            f'"{counts.index[0]}" or "{counts.index[1]}".'
        )
    if counts.min() <= folds:
        raise UserError(
            f'Class "{counts.idxmin()}" of the {name} has {counts.min()} rows; more than '
            f"[search] folds = {folds} are needed, so add rows, merge classes or lower folds."
        )
    largest = (counts / counts.sum()).head(5)
    shares = ", ".join(f"{label} {share:.1%}" for label, share in largest.items())
    return f"{len(counts)} classes: {shares}"
