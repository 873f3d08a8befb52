"""Which features matter: how much worse the answers are when a feature is shuffled."""

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance

from ..modeling.search import few_threads
from .tested import features_and_target
from ..modeling.predictor import Predictor
from ..problem.definition import Definition
from ..problem.metric import Metric
from ..variants import of_type

MOST_ROWS = 2000
PREDICTIONS = 250  # in all, so that 500 features do not take an hour


def measure_importance(
    rows: pd.DataFrame, predictor: Predictor, metric: Metric, definition: Definition
) -> pd.DataFrame:
    """Return what is lost when each feature is shuffled (Breiman, 2001).

    Parameters
    ----------
    rows : DataFrame
        Prepared test rows; at most 2,000 of them are used.

    Returns
    -------
    DataFrame
        ``feature``, ``loss`` (mean over the shuffles, positive when the feature helps) and
        ``deviation``, the largest loss first.
    """
    seed = definition.search.seed
    sample = rows.sample(min(len(rows), MOST_ROWS), random_state=seed)
    features, target = features_and_target(sample, predictor.schema)
    problem = of_type("evaluation", definition.problem.type)
    useful = problem.usefulness(sample, predictor, metric, definition)
    with few_threads(len(sample)):
        result = permutation_importance(
            predictor.pipeline,
            features,
            target,
            scoring=lambda _, shuffled, __: useful(shuffled),
            n_repeats=int(np.clip(PREDICTIONS // features.shape[1], 1, 5)),
            random_state=seed,
        )
    losses = {"loss": result.importances_mean, "deviation": result.importances_std}
    found = pd.DataFrame({"feature": features.columns, **losses})
    return found.sort_values("loss", ascending=False, ignore_index=True)
