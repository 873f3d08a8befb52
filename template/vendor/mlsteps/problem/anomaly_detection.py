"""What is particular to finding anomalies: known labels, the share to flag and the metrics."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from ..errors import UserError
from ..report import counted
from .columns import labels
from .metric import HIGHER, STABILITY, average_precision, metric_table, roc_area
from .settings import Label, RowEvaluation, Unsupervised

Evaluation = RowEvaluation
NORMAL, ANOMALY = "normal", "anomaly"  # the predictions, and the labels that are known
DISTANCE = " distance"  # to the mean; no column that was collected begins with a blank
USUAL_SHARE = 0.05  # to flag, where nothing is known
RARE = 0.05  # below this share of anomalies, ROC AUC flatters; PR AUC does not


class Problem(Unsupervised):
    """``[problem]``: what is known of anomalies, how many to flag, and what is good enough."""

    TASK: ClassVar[str] = (
        "Flag {problem.flagged_share:.1%} of {rows}, those least like the others in "
        "{columns}{target}."
    )
    PURPOSE: ClassVar[str] = "flag rows that are not like the others, and say why"
    RIVAL: ClassVar[str] = "chance, and not worse than the distance to the mean"

    type: Literal["anomaly_detection"]
    #: the label of normal rows; any other is an anomaly
    normal: Label = Field(default="normal", min_length=1)
    #: rows for training: all, all but those known as anomalies, or those known as normal
    learn_from: Literal["all", "not_anomalies", "normal"] = "all"
    flagged_share: float = Field(gt=0, lt=0.5)  #: the share of rows to flag

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if not self.target and (self.learn_from != "all" or self.metric in LABELLED):
            raise ValueError(
                f'[problem] metric "{self.metric}" with learn_from "{self.learn_from}" takes '
                "labels, but target names no column of them; name one, or set learn_from to "
                '"all" and metric to "stability"'
            )
        return self

    def as_target(self, values: pd.Series) -> pd.Series:
        """Return labels as normal or anomaly, which is any that is not `normal`."""
        kept = values.where(~values.isin([self.normal, NORMAL]), NORMAL)
        return kept.where(kept.isna() | (kept == NORMAL), ANOMALY)

    def learns_from(self, target: pd.Series) -> np.ndarray:
        """Return which rows are for training, by what is known of them."""
        if self.learn_from == "normal":
            return (target == NORMAL).to_numpy()
        return (target != ANOMALY).to_numpy() | (self.learn_from == "all")

    def chosen_by(self, target: pd.Series) -> str:
        """Return the metric, or ROC AUC where there is none of labels, but labels of both kinds."""
        if self.metric != "stability":
            return self.metric
        return "roc_auc" if {NORMAL, ANOMALY} <= set(target.dropna()) else ""

    def held_in_pairs(self) -> tuple[str, ...]:
        """Return the baselines that the gate leaves to a check of pairs."""
        return ("distance_to_mean",)


def arrays(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return what the metrics take, each with one entry for a row."""
    known = target.map({NORMAL: 0, ANOMALY: 1}).fillna(-1).to_numpy(dtype=int)
    return known, predictions["score"].to_numpy(), (predictions["prediction"] == ANOMALY).to_numpy()


def _area(
    area: Callable[[np.ndarray, np.ndarray], float], known: np.ndarray, scores: np.ndarray, *_: Any
) -> float:
    """Return the area for the anomalies, of the rows whose label is known."""
    there = known >= 0
    found = known[there] == 1
    return area(found, scores[there]) if len(set(found)) == 2 else np.nan


def _precision(known: np.ndarray, _: np.ndarray, flagged: np.ndarray) -> float:
    """Return the share of anomalies among the flagged rows whose label is known."""
    labelled = known[flagged & (known >= 0)]
    return float(np.mean(labelled)) if len(labelled) else np.nan


def _recall(known: np.ndarray, _: np.ndarray, flagged: np.ndarray) -> float:
    """Return the share of the known anomalies that is flagged."""
    found = flagged[known == 1]
    return float(np.mean(found)) if len(found) else np.nan


METRICS = metric_table(
    arrays,
    ("roc_auc", partial(_area, roc_area), HIGHER, "ROC AUC"),
    ("pr_auc", partial(_area, average_precision), HIGHER, "PR AUC"),
    ("precision", _precision, HIGHER, "Anomalies among the flagged", False),
    ("recall", _recall, HIGHER, "Anomalies that are flagged", False),
)
METRICS["stability"] = STABILITY
LABELLED = ("roc_auc", "pr_auc")  # metrics that need known anomalies and known normal rows


def suggest_problem(rows: int, target: pd.Series) -> dict[str, tuple[Any, str]]:
    """Return labels, share and metric for new data, each with its reason."""
    counts = labels(target).value_counts(normalize=True)
    usual, others = (str(counts.index[0]), 1 - counts.iloc[0]) if len(counts) else (NORMAL, 0)
    share = (USUAL_SHARE, "set how many you can look at")
    if 0 < others < 0.5:
        share = (float(f"{others:.3g}"), "as many as the labels say")
    metric = ("roc_auc", "")
    if not others:
        metric = ("stability", "no label tells which rows are anomalies")
    elif others < RARE:
        metric = ("pr_auc", "anomalies are rare")
    return {
        "normal": (usual, "the most frequent label; any other is an anomaly"),
        "learn_from": ("all", ""),
        "flagged_share": share,
        "metric": metric,
    }


def check_target(target: pd.Series, problem: Problem, folds: int) -> str:
    """Check that the labels can do what the definition asks of them, and describe them."""
    if target.isna().all() and problem.metric not in LABELLED and problem.learn_from == "all":
        return ""
    found = labels(target)
    known = problem.as_target(found)
    normal, anomalies = int((known == NORMAL).sum()), int((known == ANOMALY).sum())
    if anomalies and not normal:
        few = ", ".join(map(str, found.value_counts().index[:10]))
        raise UserError(
            f'[problem] normal is "{problem.normal}", a label that no row has; "{problem.target}" '
            f"has {few}."
        )
    if problem.metric in LABELLED and not (normal and anomalies):
        raise UserError(
            f"[problem] metric {problem.metric} takes normal rows and anomalies, but in "
            f'"{problem.target}" all {normal:,} labels are "{problem.normal}"; set metric to '
            '"stability" until anomalies are known.'
        )
    rows = int(problem.learns_from(known).sum())
    if rows <= 2 * folds:
        raise UserError(
            f'[problem] learn_from is "{problem.learn_from}", which leaves {counted(rows, "row")} '
            f'for training; more than twice [search] folds = {folds} are needed, or "all".'
        )
    few = f"{anomalies:,} of {normal + anomalies:,} labels"
    return f'; by "{problem.target}", {few} are anomalies, and {rows:,} rows are for training'
