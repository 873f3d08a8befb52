"""Is one version better than another? Both predict the same rows, which neither was trained on."""

from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pandas as pd

from ..deployment.prediction_log import LoggedPredictions, open_log, read_predictions
from ..evaluation.bootstrap import compare_pairs
from ..modeling import store
from ..problem.definition import Definition
from ..problem.metric import Metric
from ..problem.project import Project
from ..report import number
from .performance import Estimate, measure_logged


@dataclass(frozen=True)
class PairedPredictions:
    """Test rows that neither version was trained on, and what both predict of them.

    Attributes
    ----------
    target : Series of (n,)
        True values.
    predictions, rival_predictions : DataFrame of n rows
        Of the champion and of the challenger.
    group : Series of (n,) or None
        Rows that are alike.
    """

    target: pd.Series
    predictions: pd.DataFrame
    rival_predictions: pd.DataFrame
    group: pd.Series | None


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
            f"{number(self.value)}, on the same {self.rows:,} rows; better by more than "
            f"{number(margin)} in {self.confidence:.0%} of resamples"
        )


@dataclass(frozen=True)
class ShadowComparison:
    """Champion and challenger on the same live rows.

    Attributes
    ----------
    challenger
        The version that predicts in the shadow.
    rows
        How many of its predictions have a known true label.
    quality
        The metric of "champion" and "challenger"; empty while there are too few rows to tell.
    """

    challenger: str
    rows: int
    quality: dict[str, Estimate]


def replay_of(definition: Definition) -> ModuleType:
    """Return the module that lets a version predict again what another has predicted."""
    if definition.problem.of_series:
        from . import replay_series  # needs statsmodels

        return replay_series
    from . import replay_rows

    return replay_rows


def compare(pairs: PairedPredictions, metric: Metric, definition: Definition) -> Comparison:
    """Compare two versions by a metric, with a paired bootstrap test."""
    target, own, rival = pairs.target, pairs.predictions, pairs.rival_predictions
    seed = definition.search.seed
    value, rival_value, gains = compare_pairs(metric, target, own, rival, seed, pairs.group)
    confidence = float(np.mean(gains > definition.improvement.margin)) if len(gains) else 0.0
    gain = metric.gain(rival_value, value)
    return Comparison(len(target), value, rival_value, gain, confidence)


def read_shadow(project: Project, champion: str, challenger: str) -> LoggedPredictions:
    """Read the newest rows with true labels that both have predicted, as many as are compared."""
    settings = project.definition.improvement
    most = max(settings.window, settings.shadow_rows)
    with open_log(project) as log:
        return read_predictions(log, champion, most, labelled=True, challenger=challenger)


def compare_shadow(project: Project, champion: str, metric: Metric) -> ShadowComparison | None:
    """Measure champion and challenger on the same live rows; None if there is no challenger."""
    challenger = store.challenger(project.models)
    if challenger is None:
        return None
    logged = read_shadow(project, champion, challenger)
    quality: dict[str, Estimate] = {}
    if len(logged) >= project.definition.improvement.minimum_rows:
        for role, predictions in {
            "champion": logged.predictions,
            "challenger": logged.shadow,
        }.items():
            if estimate := measure_logged(logged, predictions, metric, project.definition):
                quality[role] = estimate
    return ShadowComparison(challenger, len(logged), quality)
