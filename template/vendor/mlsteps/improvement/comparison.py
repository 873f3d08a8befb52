"""Is one version better than another? Both predict the same rows, which neither was trained on."""

from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from ..deployment.prediction_log import LoggedPredictions, open_log, read_predictions
from ..evaluation.bootstrap import compare_pairs
from ..files import read_json
from ..modeling import store
from ..problem.definition import Definition
from ..problem.metric import Metric
from ..problem.project import Project
from ..report import counted, number
from .performance import measure_logged


@dataclass(frozen=True)
class PairedPredictions:
    """True values, what two versions predict of the same rows, and which rows are alike."""

    target: pd.Series
    predictions: pd.DataFrame
    rival_predictions: pd.DataFrame
    group: pd.Series | None = None


@dataclass(frozen=True)
class Comparison:
    """The metric of a version and of its rival on the same rows.

    Attributes
    ----------
    rows : int
        How many there are.
    value, rival_value : float
        The metric of the definition.
    gain : float
        By how much the rival is better; negative if it is worse.
    confidence : float
        The share of resamples of the rows in which it is better by more than the margin.

    Examples
    --------
    >>> found = Comparison(rows=500, value=0.8, rival_value=0.85, gain=0.05, confidence=0.97)
    >>> found.gain > 0 and found.confidence > 0.95
    True
    """

    rows: int
    value: float
    rival_value: float
    gain: float
    confidence: float

    def sentence(self, metric: Metric, margin: float, own: str, rival: str) -> str:
        """Say what was found of a version and its rival."""
        return (
            f"{metric.title} of the {rival} is {number(self.rival_value)}, of the {own} "
            f"{number(self.value)}, on the same {counted(self.rows, 'row')}; better by more than "
            f"{number(margin)} in {self.confidence:.0%} of resamples"
        )


def replay_of(definition: Definition) -> ModuleType:
    """Return the module that lets a version predict again what another has predicted."""
    if definition.problem.of_series:
        from . import replay_series  # needs statsmodels

        return replay_series
    from . import replay_rows

    return replay_rows


def compare(pairs: PairedPredictions, metric: Metric, definition: Definition) -> Comparison:
    """Compare two versions by a metric, with a paired bootstrap test."""
    value, rival_value, gains = compare_pairs(
        metric,
        pairs.target,
        pairs.predictions,
        pairs.rival_predictions,
        definition.search.seed,
        pairs.group,
    )
    confidence = float(np.mean(gains > definition.improvement.margin)) if len(gains) else 0.0
    gain = metric.gain(rival_value, value)
    return Comparison(len(pairs.target), value, rival_value, gain, confidence)


def read_shadow(project: Project, champion: str, challenger: str) -> LoggedPredictions:
    """Read the newest rows with true labels that both have predicted, as many as are compared."""
    settings = project.definition.improvement
    most = max(settings.window, settings.shadow_rows)
    run = read_json(project.models / challenger / store.RUN)
    since = datetime.fromisoformat(run["trained"]).replace(tzinfo=None)  # it cannot have before
    with open_log(project) as log:
        return read_predictions(
            log, champion, most, labelled=True, challenger=challenger, since=since
        )


def measure_shadow(
    project: Project, champion: str, challenger: str, metric: Metric
) -> dict[str, Any]:
    """Return the metric of champion and challenger on the same live rows, if there are enough."""
    definition, logged = project.definition, read_shadow(project, champion, challenger)
    both = {"champion": logged.predictions, "challenger": logged.shadow}
    quality = {}
    if len(logged) >= definition.improvement.minimum_rows:
        found = {role: measure_logged(logged, p, metric, definition) for role, p in both.items()}
        quality = {role: numbers for role, numbers in found.items() if numbers}
    return {"challenger": challenger, "rows": len(logged), "quality": quality}
