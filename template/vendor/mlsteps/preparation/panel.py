"""Several series on one calendar, as arrays: what the models learn from and forecast."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd

Gaps = Literal["interpolate", "previous", "zero", "refuse"]


@dataclass(frozen=True)
class Panel:
    """Series side by side.

    Attributes
    ----------
    names
        One label for each series.
    start
        The ordinal of the first period, see `Calendar`.
    history : (series, periods)
        NaN before a series begins, and where it has a gap that is not filled.
    known : (series, periods and those beyond them, columns)
        What is known ahead of time, from the first period on.
    """

    names: list[str]
    start: int
    history: np.ndarray
    known: np.ndarray

    @property
    def periods(self) -> int:
        """How many periods of history there are."""
        return self.history.shape[1]

    @property
    def end(self) -> int:
        """The ordinal of the first period that is not history."""
        return self.start + self.periods

    def head(self, periods: int, gaps: Gaps, least: int = 1) -> Self:
        """Return what was known after the first so many periods, without gaps.

        Gaps are filled after the cut, so that nothing is told by what came later. A series that
        began less than `least` periods before is left out. What is known ahead of time stays.
        """
        values = fill(self.history[:, :periods], gaps)
        return replace(self, history=values).rows(np.flatnonzero(_lengths(values) >= least))

    def rows(self, which: np.ndarray) -> Self:
        """Return some of the series."""
        return replace(
            self,
            names=[self.names[k] for k in which],
            history=self.history[which],
            known=self.known[which],
        )

    def lengths(self) -> np.ndarray:
        """Return the number of periods since the beginning of each series, (series,)."""
        return _lengths(self.history)


def fill(values: np.ndarray, gaps: Gaps) -> np.ndarray:
    """Return values without gaps: (series, periods), NaN only before a series begins.

    A gap at the end takes the last value where a line cannot be drawn through it.
    """
    frame = pd.DataFrame(values.T)
    begun = frame.notna().cummax()
    if gaps == "zero":
        frame = frame.fillna(0.0)
    elif gaps == "interpolate":
        frame = frame.interpolate(limit_area="inside")
    return frame.ffill().where(begun).to_numpy().T


def _lengths(values: np.ndarray) -> np.ndarray:
    present = ~np.isnan(values)
    return np.where(present.any(axis=1), values.shape[1] - present.argmax(axis=1), 0)
