"""A fitted forecaster together with the history that it continues."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..preparation.panel import Panel


class Continued(BaseEstimator):
    """What is stored of a forecasting model.

    Parameters
    ----------
    forecaster
        Fitted.

    Attributes
    ----------
    names_, start_, values_, known_
        The history, see `Panel`; its gaps are not filled.
    """

    def __init__(self, forecaster: Any) -> None:
        self.forecaster = forecaster

    def remember(self, panel: Panel) -> Self:
        """Take a history to continue."""
        self.names_ = np.array(panel.names, dtype=str)
        self.start_ = panel.start
        self.values_ = panel.history
        self.known_ = panel.known
        return self

    def panel(self) -> Panel:
        """Return the history."""
        return Panel(self.names_.tolist(), self.start_, self.values_, self.known_)


def overlay(old: Panel, new: Panel) -> Panel:
    """Return the history of two panels on the same calendar; where both know, the newer one holds.

    Periods before the older history begins are left out.
    """
    names = [*old.names, *(name for name in new.names if name not in set(old.names))]
    end = max(old.end, new.end)
    beyond = max(old.start + old.known.shape[1], new.start + new.known.shape[1], end)
    values = np.full((len(names), end - old.start), np.nan)
    known = np.full((len(names), beyond - old.start, old.known.shape[2]), np.nan)
    for panel in (old, new):
        rows = pd.Index(names).get_indexer(panel.names)
        skip = max(0, old.start - panel.start)
        begin = panel.start + skip - old.start
        for target, source in ((values, panel.history), (known, panel.known)):
            part = source[:, skip:]
            place = target[rows, begin : begin + part.shape[1]]
            target[rows, begin : begin + part.shape[1]] = np.where(np.isnan(part), place, part)
    return Panel(names, old.start, values, known)
