"""What the types without a target share: how sure something measured by resampling is."""

from collections.abc import Sequence

import numpy as np

LEVEL = 0.95  # of the range


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the mean of what several models gave, and the range of nearly all of them."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return {"value": float(np.nanmean(values)), "low": float(low), "high": float(high)}
