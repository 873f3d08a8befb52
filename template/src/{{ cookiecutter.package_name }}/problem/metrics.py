"""Metrics of your own, beside those that the comment at [problem] metric in project.toml names.

A metric takes true values (Series of n) and predictions (DataFrame of n rows: ``prediction`` and
what else `predict` writes, such as ``probability_<class>`` or ``low`` and ``high``) and returns a
number. The search calls it before thresholds and rules on predictions apply::

    import pandas as pd

    def share_found(target: pd.Series, predictions: pd.DataFrame) -> float:
        positive = target == "bad"
        return float((predictions.loc[positive, "prediction"] == "bad").mean())

    METRICS = {"share_found": Metric(share_found, higher_is_better=True, title="Share found")}
"""

from mlsteps.problem import Metric

METRICS: dict[str, Metric] = {}
