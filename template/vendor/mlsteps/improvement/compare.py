"""Is one version better than another? Both answer the same rows, which neither has learnt from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..evaluation.bootstrap import evaluate_metric, measure_gains
from ..problem.metric import Metric
from ..problem.definition import Definition
from ..report import number


@dataclass(frozen=True)
class Comparison:
    """The metric of a version and of its rival on the same rows.

    Attributes
    ----------
    gain
        By how much the rival is better; negative if it is worse.
    confidence
        The share of resamples of the rows in which it is better by more than the margin.
    """

    rows: int
    value: float
    rival_value: float
    gain: float
    confidence: float

    def words(self, metric: Metric, definition: Definition, own: str, rival: str) -> str:
        """Say what was found in a sentence."""
        title, margin = metric.title, definition.improvement.margin
        return (
            f"{title} of the {rival} is {number(self.rival_value)}, of the {own} "
            f"{number(self.value)}, on the same {self.rows:,} rows; better by more than "
            f"{number(margin)} in {self.confidence:.0%} of resamples"
        )


def compare(
    target: pd.Series,
    predictions: pd.DataFrame,
    rival_predictions: pd.DataFrame,
    metric: Metric,
    definition: Definition,
    group: pd.Series | None = None,
) -> Comparison:
    """Compare two versions by the metric of the definition, with a paired bootstrap test.

    Parameters
    ----------
    target : Series of (n,)
        True values.
    answers, rival_answers : DataFrame of n rows
        What each answered.
    group : Series of (n,), optional
        Rows of one group are drawn together, because they are alike.
    """
    own, rival = (evaluate_metric(metric, target, each) for each in (predictions, rival_predictions))
    gains = measure_gains(metric, target, predictions, rival_predictions, definition.search.seed, group)
    surely = float(np.mean(gains > definition.improvement.margin)) if len(gains) else 0.0
    return Comparison(len(target), own, rival, metric.gain(rival, own), surely)
