"""What problems over rows without a target share: known labels judge, they are not predicted."""

import numpy as np

from .metric import Metric
from .settings import Goal


def _of_no_rows() -> float:
    return np.nan


# How alike the answers are of models that learnt from different rows. The search measures it,
# because the answers of one model cannot tell.
STABILITY = Metric(_of_no_rows, higher_is_better=True, title="Stability", arrays=lambda *_: ())


class Unsupervised(Goal):
    """What stands in ``[problem]`` where nothing is predicted."""

    target: str = ""
    metric: str
    minimum: float
