"""What the evaluation of a classifier shows."""

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from ..modeling.predictor import Predictor
from ..plots import GREY, heat_map, new_figure
from ..problem.classification import arrays
from ..problem.definition import Definition
from ..report import figure
from .supervised import (
    LOSS,
    checks,
    importance_score,
    measure_baselines,
    predict_test,
    tables,
)

__all__ = [
    "LOSS",
    "checks",
    "importance_score",
    "measure_baselines",
    "outcome",
    "plots",
    "predict_test",
    "tables",
]

MOST_CURVES = 6  # classes with a curve of their own, the most frequent ones
BINS = 10  # of the calibration plot, with equally many rows


def outcome(
    target: pd.Series, predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> dict[str, object]:
    """Return key figures in words: the threshold and what its mistakes cost."""
    decision, costs = predictor.schema.decision, definition.evaluation
    if len(decision["classes"]) != 2:
        return {"classes": len(decision["classes"])}
    true, probabilities, predicted = arrays(target, predictions)

    def cost(chosen: np.ndarray) -> float:
        missed = np.sum((true == 1) & (chosen == 0)) * costs.false_negative_cost
        alarms = np.sum((true == 0) & (chosen == 1)) * costs.false_positive_cost
        return float(missed + alarms) / len(true)

    return {
        f'threshold for "{decision["classes"][1]}"': round(decision["threshold"], 3),
        "cost a row": cost(predicted),
        "cost a row at a threshold of 0.5": cost((probabilities[:, 1] >= 0.5).astype(int)),
        "cost a row of the cheaper constant prediction": min(
            cost(np.zeros(len(true))), cost(np.ones(len(true)))
        ),
    }


def plots(
    target: pd.Series, predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> list[str]:
    """Return the plots of the test set: confusion, ROC, precision and recall, calibration."""
    classes = predictor.schema.decision["classes"]
    true, probabilities, predicted = arrays(target, predictions)
    curves = [1] if len(classes) == 2 else pd.Series(true).value_counts().index[:MOST_CURVES]
    return [
        _confusion(true, predicted, classes),
        _roc(true, probabilities, classes, curves),
        _precision_recall(true, probabilities, classes, curves),
        _calibration(true, probabilities, classes, curves),
    ]


def _confusion(true: np.ndarray, predicted: np.ndarray, classes: list[str]) -> str:
    counts = confusion_matrix(true, predicted, labels=range(len(classes)))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    plot, axes = new_figure(grid="")
    texts = [[f"{count:,}" for count in row] for row in counts] if len(classes) <= 12 else ()
    heat_map(axes, shares, classes, classes, texts)
    axes.set(xlabel="predicted", ylabel="true")
    return figure(plot, "Test rows, coloured by the share of their true class.", "Confusion")


def _roc(true: np.ndarray, probabilities: np.ndarray, classes: list[str], curves: list[int]) -> str:
    plot, axes = new_figure(grid="both")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    for k in curves:
        wrong, right, _ = roc_curve(true == k, probabilities[:, k])
        axes.plot(wrong, right, label=classes[k])
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(loc="lower right")
    return figure(
        plot, "What is found against what is wrongly flagged, for every threshold.", "ROC"
    )


def _precision_recall(
    true: np.ndarray, probabilities: np.ndarray, classes: list[str], curves: list[int]
) -> str:
    plot, axes = new_figure(grid="both")
    for k in curves:
        precision, recall, _ = precision_recall_curve(true == k, probabilities[:, k])
        (line,) = axes.step(recall, precision, where="post", label=classes[k])
        axes.axhline(np.mean(true == k), color=line.get_color(), linestyle=":", linewidth=1)
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03))
    axes.legend(loc="lower left")
    return figure(plot, "Dotted, the precision of flagging everything.", "Precision and recall")


def _calibration(
    true: np.ndarray, probabilities: np.ndarray, classes: list[str], curves: list[int]
) -> str:
    plot, axes = new_figure(grid="both")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    for k in curves:
        seen, said = calibration_curve(
            true == k, probabilities[:, k], n_bins=BINS, strategy="quantile"
        )
        axes.plot(said, seen, marker="o", label=classes[k])
    axes.set(xlabel="predicted probability", ylabel="share that came true")
    axes.legend(loc="upper left")
    return figure(plot, "On the dotted line, 30 % means 30 of 100.", "Calibration")
