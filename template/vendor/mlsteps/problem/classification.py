"""What is particular to predicting a class: its target, metrics and baselines."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from ..errors import UserError
from ..report import counted
from .columns import labels
from .metric import HIGHER, LOWER, average_precision, metric_table, roc_area
from .settings import Label, RowEvaluation, Supervised

PROBABILITY = "probability_"
MOST_CLASSES = 100
RARE = 0.1  # below this share of positives, ROC AUC flatters; PR AUC does not


class Problem(Supervised):
    """``[problem]``: what is predicted and what is good enough."""

    type: Literal["classification"]
    baseline: Literal["most_frequent", "prior"]
    positive: Label = ""  #: with two classes the one that matters, required then; with more, ``""``


class Evaluation(RowEvaluation):
    """``[evaluation]``: what mistakes cost, and which slices are looked at."""

    calibrate: bool = True  #: whether to make probabilities honest
    #: with two classes: what a false alarm costs, in any unit
    false_positive_cost: float = Field(default=1.0, gt=0)
    #: the same for a positive that is missed; "auto": no cost is known, and as many are missed as
    #: are false alarms
    false_negative_cost: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"


def arrays(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return what the metrics take, each with one entry for a row."""
    columns = predictions.filter(regex=f"^{PROBABILITY}")
    classes = pd.Index([name.removeprefix(PROBABILITY) for name in columns.columns])
    true, probabilities = classes.get_indexer(labels(target)), columns.to_numpy()
    if (true < 0).any():
        true = np.where(true < 0, len(classes), true)
        probabilities = np.column_stack([probabilities, np.zeros(len(true))])
    return true, probabilities, classes.get_indexer(predictions["prediction"])


def _by_class(
    area: Callable[[np.ndarray, np.ndarray], float],
    true: np.ndarray,
    probabilities: np.ndarray,
    *_: Any,
) -> float:
    """Return the area for the positive class, or the mean of each class against the rest."""
    if probabilities.shape[1] == 2:
        return area(true == 1, probabilities[:, 1])
    return float(np.mean([area(true == k, probabilities[:, k]) for k in np.unique(true)]))


def _accuracy(true: np.ndarray, _: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(true == predicted))


def _balanced_accuracy(true: np.ndarray, _: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean([np.mean(predicted[true == k] == k) for k in np.unique(true)]))


def _f1(true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> float:
    """Return F1 of the positive class; the mean over the classes if more than two."""
    classes = [1] if probabilities.shape[1] == 2 else np.union1d(true, predicted)
    hits = [np.sum((true == k) & (predicted == k)) for k in classes]
    named = [np.sum(true == k) + np.sum(predicted == k) for k in classes]
    return float(np.mean([2 * h / n if n else 0.0 for h, n in zip(hits, named, strict=True)]))


def _log_loss(true: np.ndarray, probabilities: np.ndarray, *_: np.ndarray) -> float:
    own = probabilities[np.arange(len(true)), true]
    return float(-np.mean(np.log(np.clip(own, 1e-15, 1))))


def _brier(true: np.ndarray, probabilities: np.ndarray, *_: np.ndarray) -> float:
    """Return the mean squared error of the probabilities, halved so that it lies in 0 to 1."""
    hit = np.eye(probabilities.shape[1])[true]
    return float(np.mean(np.sum((probabilities - hit) ** 2, axis=1)) / 2)


METRICS = metric_table(
    arrays,
    ("roc_auc", partial(_by_class, roc_area), HIGHER, "ROC AUC"),
    ("pr_auc", partial(_by_class, average_precision), HIGHER, "PR AUC"),
    ("accuracy", _accuracy, HIGHER, "Accuracy"),
    ("balanced_accuracy", _balanced_accuracy, HIGHER, "Balanced accuracy"),
    ("f1", _f1, HIGHER, "F1"),
    ("log_loss", _log_loss, LOWER, "Log loss"),
    ("brier", _brier, LOWER, "Brier score"),
)


def suggest_problem(rows: int, target: pd.Series) -> dict[str, tuple[Any, str]]:
    """Return the class that matters, the metric and the baseline for new data, with reasons."""
    shares = labels(target).value_counts(normalize=True)
    found: dict[str, tuple[Any, str]] = {
        "positive": ("", "more than two classes"),
        "metric": ("roc_auc", ""),
        "baseline": ("prior", ""),
    }
    if len(shares) == 2:
        (usual, positive), share = shares.index, shares.iloc[1]
        reason = f'the rarer class ({share:.1%}); change it to "{usual}" if need be'
        found["positive"] = (str(positive), reason)
        if share < RARE:
            found["metric"] = ("pr_auc", "positives are rare")
    return found


def check_target(target: pd.Series, problem: Problem, folds: int) -> str:
    """Check that the target can be predicted as a class, and describe it in a sentence."""
    name, counts = f'target "{problem.target}"', labels(target).value_counts()
    if counts.empty:
        raise UserError(f"The {name} is missing in every row; at least two classes are needed.")
    if len(counts) == 1:
        raise UserError(f'The {name} has one class, "{counts.index[0]}"; at least two are needed.')
    if len(counts) > MOST_CLASSES:
        raise UserError(
            f"The {name} has {len(counts):,} classes, at most {MOST_CLASSES} are allowed; "
            "if it is a quantity, `copier update --data problem_type=regression` fits it."
        )
    if (problem.positive or len(counts) == 2) and problem.positive not in counts.index:
        classes = ", ".join(map(str, counts.index[:10]))
        raise UserError(
            f'[problem] positive is "{problem.positive}", but the {name} has {classes}; name the '
            "class that matters."
        )
    if counts.min() <= folds:
        raise UserError(
            f'Class "{counts.idxmin()}" of the {name} has {counted(counts.min(), "row")}; more '
            f"than [search] folds = {folds} are needed, so add rows, merge classes or lower folds."
        )
    shares = (counts / counts.sum()).head(5)
    return f"{len(counts)} classes: " + ", ".join(f"{k} {share:.1%}" for k, share in shares.items())
