"""What the types without a target share: how sure something measured by resampling is."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

LEVEL = 0.95  # of the range


def stability(
    predictions: Sequence[pd.DataFrame], agreement: Callable[[pd.DataFrame, pd.DataFrame], float]
) -> list[float]:
    """Return how alike the predictions are of each two models, fitted to parts of the rows."""
    return [agreement(*pair) for pair in combinations(predictions, 2)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the mean of what several models gave, and the range of nearly all of them."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return {"value": float(np.nanmean(values)), "low": float(low), "high": float(high)}
