"""What problems over rows without a target share: known labels judge, they are not predicted."""

from typing import Any

import numpy as np
import pandas as pd

from .metric import Metric
from .settings import Table


def _of_no_rows(*parts: np.ndarray) -> float:
    return np.nan


# How alike the answers are of models that learnt from different rows. The search measures it,
# because the answers of one model cannot tell.
STABILITY = Metric(_of_no_rows, higher_is_better=True, title="Stability")


class Unsupervised(Table):
    """What stands in ``[problem]`` where nothing is predicted."""

    target: str = ""
    metric: str
    minimum: float

    def agree_with(self, split_by: str) -> None:
        """Raise a ValueError if the rows must not be split like this: they may, in any way."""

    def as_target(self, values: pd.Series) -> pd.Series:
        """Return labels as they are known from here on: as they are."""
        return values

    def learns_from(self, target: pd.Series) -> np.ndarray:
        """Return which rows are learnt from: all."""
        return np.ones(len(target), dtype=bool)

    def held_in_pairs(self) -> tuple[str, ...]:
        """Return the baselines that the gate leaves to a check of pairs: none."""
        return ()

    def always_tried(self) -> dict[str, list[Any]]:
        """Return what every candidate that takes it is tried with: nothing."""
        return {}
