"""What is particular to evaluating predictions of a target: a baseline, and what features lose."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from ..modeling.predictor import Predictor
from ..preparation.schema import GROUP
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics, evaluate_metrics
from .bootstrap import Measured
from .gate import Check
from .result import UNSEEN, features_and_target

LEAST_ROWS, LEAST_OF_CLASS, LEAST_GROUPS = 20, 5, 5
LOSS = "{metric} lost when a feature is shuffled"


def measure_baselines(
    test: pd.DataFrame,
    predictor: Predictor,
    stored: dict[str, dict[str, Any]],
    metrics: Metrics,
    definition: Definition,
) -> dict[str, dict[str, float]]:
    """Return the metrics of what was stored in training: one prediction for all rows."""
    target = test[predictor.schema.target]
    return {
        name: evaluate_metrics(metrics, target, pd.DataFrame(constant, index=target.index))
        for name, constant in stored.items()
    }


def importance_score(
    rows: pd.DataFrame, predictor: Predictor, metric: Metric, definition: Definition
) -> Callable[[pd.DataFrame], float]:
    """Return the function that scores predictions of `rows` whose features were shuffled."""
    _, target = features_and_target(rows, predictor.schema)
    sign = 1 if metric.higher_is_better else -1
    return lambda shuffled: sign * metric(target, predictor.predict_features(shuffled))


def tables(target: pd.Series, predictions: pd.DataFrame, predictor: Predictor) -> list[str]:
    """Return further sections of the report: the plots have said it all."""
    return []


def predict_test(
    features: pd.DataFrame, predictor: Predictor, *, seen: bool
) -> tuple[pd.DataFrame, str]:
    """Return the predictions of the test rows, and what the rows are: always new to the model."""
    return predictor.predict_features(features), UNSEEN


def checks(
    rows: pd.DataFrame,
    predictions: pd.DataFrame,
    test: Measured,
    metric: Metric,
    definition: Definition,
) -> list[Check]:
    """Check that test rows can carry an interval: one of few rows looks surer than it is."""
    target, group = rows[definition.problem.target], rows.get(GROUP)
    counts = {"test rows": (len(target), LEAST_ROWS)}
    classes = target.value_counts()
    if definition.problem.target_kind == "category" and len(classes) == 2:
        counts[f'of class "{classes.index[1]}"'] = (int(classes.iloc[1]), LEAST_OF_CLASS)
    if group is not None:
        counts["groups"] = (group.nunique(), LEAST_GROUPS)
    found = ", ".join(f"{count:,} {what}" for what, (count, _) in counts.items())
    needed = ", ".join(f"{least} {what}" for what, (_, least) in counts.items())
    passed = all(count >= least for count, least in counts.values())
    return [Check(passed, f"{found}; at least {needed} are needed to tell")]
