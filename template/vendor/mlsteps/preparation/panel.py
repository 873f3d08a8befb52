"""Several series on one calendar, as arrays: what forecasters are fitted to and continue."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd

Gaps = Literal["interpolate", "previous", "zero", "refuse"]


@dataclass(frozen=True)
class Panel:
    """Series of the same periods.

    Attributes
    ----------
    names : list of str, (series,)
        The label of each series.
    start : int
        The ordinal of the first period, see `Calendar`.
    history : ndarray of float, (series, periods)
        NaN before a series begins, and where it has a gap that is not filled.
    known : ndarray of float, (series, periods and those beyond them, columns)
        What is known ahead of time, from the first period on.

    Examples
    --------
    >>> import numpy as np
    >>> panel = Panel(["a"], 0, np.array([[1.0, np.nan, 3.0, 4.0]]), np.zeros((1, 4, 0)))
    >>> panel.head(3, "interpolate").history
    array([[1., 2., 3.]])
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

    def lengths(self) -> np.ndarray:
        """Return the number of periods since the beginning of each series, (series,)."""
        present = ~np.isnan(self.history)
        return np.where(present.any(axis=1), self.periods - present.argmax(axis=1), 0)

    def at(self, series: pd.Series, periods: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of series, by name, and of periods, by ordinal, in the arrays."""
        return pd.Index(self.names).get_indexer(series), periods.to_numpy() - self.start

    def head(self, periods: int, gaps: Gaps, least: int = 1) -> Self:
        """Return what was known after the first so many periods, without gaps.

        Gaps are filled after the cut, so that no value is made from later ones. A series that began
        less than `least` periods before is left out. What is known ahead of time stays.
        """
        cut = replace(self, history=fill(self.history[:, :periods], gaps))
        return cut.rows(np.flatnonzero(cut.lengths() >= least))

    def rows(self, which: np.ndarray) -> Self:
        """Return some of the series, by their places."""
        names = [self.names[k] for k in which]
        return replace(self, names=names, history=self.history[which], known=self.known[which])

    def updated(self, newer: "Panel") -> "Panel":
        """Return this panel with what a newer one of the same calendar knows, which wins.

        Its periods before this one begins are left out.
        """
        names = list(dict.fromkeys([*self.names, *newer.names]))
        rows = pd.Index(names).get_indexer(newer.names)
        skipped, begin = max(0, self.start - newer.start), max(0, newer.start - self.start)

        def merge(old: np.ndarray, new: np.ndarray, least: int = 0) -> np.ndarray:
            new = new[:, skipped:]
            periods = max(old.shape[1], begin + new.shape[1] if new.shape[1] else 0, least)
            merged, changed = np.full((2, len(names), periods, *old.shape[2:]), np.nan)
            merged[: len(old), : old.shape[1]] = old
            changed[rows, begin : begin + new.shape[1]] = new
            return np.where(np.isnan(changed), merged, changed)

        history = merge(self.history, newer.history)
        return Panel(names, self.start, history, merge(self.known, newer.known, history.shape[1]))


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
