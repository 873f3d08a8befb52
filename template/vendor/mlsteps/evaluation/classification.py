"""What the evaluation of a classifier shows."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay, confusion_matrix

from ..plots import GREY, heat_map, new_figure
from ..problem.classification import arrays
from ..report import figure
from .bootstrap import Measured
from .gate import Check
from .rows import RowTest

MOST_CURVES = 6  # classes with a curve of their own, the most frequent ones
# No legend shows a label that begins with an underscore.
GUESSING: dict[str, Any] = {"color": GREY, "linestyle": ":", "label": "_"}
BINS = {"n_bins": 10, "strategy": "quantile", "ref_line": False}
CHANCE = {"plot_chance_level": True, "chance_level_kw": GUESSING}
# The displays of scikit-learn with their settings, titles, captions and axes.
CURVES = (
    (RocCurveDisplay, CHANCE, "ROC", "What is found against what is wrongly flagged."),
    (PrecisionRecallDisplay, CHANCE, "Precision and recall", "Dotted, flagging everything."),
    (CalibrationDisplay, BINS, "Calibration", "On the dotted line, 30 % means 30 of 100."),
)
AXES = {
    "ROC": ("false positive rate", "true positive rate"),
    "Precision and recall": ("recall", "precision"),
    "Calibration": ("predicted probability", "share that came true"),
}


class Test(RowTest):
    """The test of a classifier."""

    def checks(self, measured: Measured) -> list[Check]:
        """Check that the model tells rows apart: one that predicts one class for all does not."""
        shares = self.predictions["prediction"].value_counts(normalize=True)
        reason = f'The model predicts "{shares.index[0]}" for '
        if len(shares) > 1:
            reason += f"{shares.iloc[0]:.1%} of the test rows"
        else:
            reason += "every test row; change the costs in [evaluation], or add features"
        return [*super().checks(measured), Check(len(shares) > 1, reason)]

    def outcome(self) -> dict[str, object]:
        """Return the threshold, what it finds and what its mistakes cost."""
        decision, costs = self.predictor.schema.decision, self.definition.evaluation
        if len(decision["classes"]) != 2:
            return {"classes": len(decision["classes"])}
        true, probabilities, predicted = arrays(self.target, self.predictions)
        name, hits = decision["classes"][1], np.sum(true * predicted == 1)
        found = {
            f'threshold for "{name}"': round(decision["threshold"], 3),
            f'of "{name}" it finds': f"{hits / max(np.sum(true == 1), 1):.1%}",
            f'of what it calls "{name}" are so': f"{hits / max(np.sum(predicted), 1):.1%}",
        }
        if costs.false_negative_cost == "auto":
            return found

        def cost(chosen: np.ndarray) -> float:
            missed = np.sum((true == 1) & (chosen == 0)) * costs.false_negative_cost
            alarms = np.sum((true == 0) & (chosen == 1)) * costs.false_positive_cost
            return float(missed + alarms) / len(true)

        return found | {
            "cost a row": cost(predicted),
            "cost a row at a threshold of 0.5": cost((probabilities[:, 1] >= 0.5).astype(int)),
            "cost a row of the cheaper constant prediction": min(
                cost(np.zeros(len(true))), cost(np.ones(len(true)))
            ),
        }

    def plots(self) -> list[str]:
        """Return the plots: confusion, ROC, precision and recall, calibration."""
        classes = self.predictor.schema.decision["classes"]
        true, probabilities, predicted = arrays(self.target, self.predictions)
        chosen = [1] if len(classes) == 2 else pd.Series(true).value_counts().index[:MOST_CURVES]
        sections = [_confusion(true, predicted, classes)]
        for display, settings, title, caption in CURVES:
            fig, axes = new_figure(grid="both")
            for k in chosen:
                display.from_predictions(
                    true == k, probabilities[:, k], ax=axes, name=classes[k], **settings
                )
            if display is CalibrationDisplay:
                axes.plot([0, 1], [0, 1], **GUESSING)
            x, y = AXES[title]
            axes.set(xlabel=x, ylabel=y, aspect="auto")
            axes.legend()
            sections.append(figure(fig, caption, title))
        return sections


def _confusion(true: np.ndarray, predicted: np.ndarray, classes: list[str]) -> str:
    counts = confusion_matrix(true, predicted, labels=range(len(classes)))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    fig, axes = new_figure(grid="")
    texts = [[f"{count:,}" for count in row] for row in counts] if len(classes) <= 12 else ()
    heat_map(axes, shares, classes, classes, texts)
    axes.set(xlabel="predicted", ylabel="true")
    return figure(fig, "Test rows, coloured by the share of their true class.", "Confusion")
