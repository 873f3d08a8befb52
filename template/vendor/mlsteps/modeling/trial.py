"""One candidate with one choice of settings, and what came of it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


class OutOfTimeError(Exception):
    """The time budget ended before a trial did."""


@dataclass
class Trial:
    """One candidate with one choice of settings, judged on every fold.

    Attributes
    ----------
    scores, fit_seconds
        One number for each fold.
    measured
        What else is told of it, by name; each with ``value``, some with ``low`` and ``high``.
    sound
        Whether it may win over others that are.
    answers
        Out-of-fold answers, with the index of the training rows; kept for the best trial only.
    """

    candidate: str
    settings: dict[str, Any]
    scores: list[float] = field(default_factory=list)
    fit_seconds: list[float] = field(default_factory=list)
    measured: dict[str, dict[str, float]] = field(default_factory=dict)
    eligible: bool = True
    predictions: pd.DataFrame | None = None

    @property
    def mean(self) -> float:
        """The mean of the metric over the folds."""
        return float(np.mean(self.scores))

    @property
    def std(self) -> float:
        """The standard deviation of the metric over the folds."""
        return float(np.std(self.scores))
