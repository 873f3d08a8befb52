"""The areas under two curves, which tell how well scores rank hits before misses."""

import numpy as np


def roc_area(hits: np.ndarray, scores: np.ndarray) -> float:
    """Return the chance that a hit has a higher score than a miss (Mann and Whitney, 1947)."""
    high, low = np.sort(scores[hits]), np.sort(scores[~hits])
    below, upto = (np.searchsorted(low, high, side) for side in ("left", "right"))
    return float(np.mean(below + upto) / 2 / len(low))  # an equal score counts half


def average_precision(hits: np.ndarray, scores: np.ndarray) -> float:
    """Return the precision at each distinct score, weighted by the recall that it adds."""
    order = np.argsort(-scores)
    last = np.append(np.diff(scores[order]) != 0, True)  # of the rows with the same score
    found = np.cumsum(hits[order])[last]
    precision = found / (np.flatnonzero(last) + 1)
    return float(np.sum(np.diff(found, prepend=0) * precision) / hits.sum())
