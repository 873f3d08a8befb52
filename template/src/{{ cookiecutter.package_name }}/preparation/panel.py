"""Several series on one calendar, as arrays: what the models learn from and forecast."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd

Gaps = Literal["interpolate", "previous", "zero", "refuse"]


@dataclass(frozen=True)
class Panel:
    """Series side by side; all of them end with the same period.

    Attributes
    ----------
    names
        One label for each series.
    start
        The ordinal of the first period, see `Calendar`.
    values : (series, periods)
        NaN before a series begins, and where it has a gap that is not filled.
    known : (series, periods and what is known beyond them, columns)
        What is known ahead of time, from the first period on; NaN where it is not given.
    """

    names: list[str]
    start: int
    values: np.ndarray
    known: np.ndarray

    @property
    def periods(self) -> int:
        """How many periods of history there are."""
        return self.values.shape[1]

    @property
    def end(self) -> int:
        """The ordinal of the first period that is not history."""
        return self.start + self.periods

    def head(self, periods: int, gaps: Gaps) -> Self:
        """Return what was known after the first so many periods, without gaps.

        Gaps are filled after the cut, so that nothing is told by what came later. A series that
        had not begun is left out. What is known ahead of time stays.
        """
        values = self.values[:, :periods]
        begun = ~np.isnan(values).all(axis=1)
        return self.rows(np.flatnonzero(begun), values=fill(values[begun], gaps))

    def rows(self, which: np.ndarray, values: np.ndarray | None = None) -> Self:
        """Return some of the series, with other values for them if they are given."""
        return replace(
            self,
            names=[self.names[k] for k in which],
            values=self.values[which] if values is None else values,
            known=self.known[which],
        )

    def lengths(self) -> np.ndarray:
        """Return the number of periods from the beginning of each series, (series,)."""
        present = ~np.isnan(self.values)
        return np.where(present.any(axis=1), self.periods - present.argmax(axis=1), 0)


def make_panel(
    rows: pd.DataFrame, names: Sequence[str], target: str, known: Sequence[str], start: int
) -> Panel:
    """Arrange rows as a panel.

    Parameters
    ----------
    rows : DataFrame
        With `SERIES` and `PERIOD` and at most one row for both together; the target is NaN in rows
        beyond the history, which only tell what is known ahead of time.
    names
        The series, in order.
    known
        Columns of numbers that are known ahead of time.
    start
        The first period of the panel.
    """
    places = pd.Index(names).get_indexer(rows[SERIES])
    times = rows[PERIOD].to_numpy() - start
    width = int(times.max()) + 1 if len(rows) else 0
    cube = np.full((len(names), width, 1 + len(known)), np.nan)
    cube[places, times] = rows[[target, *known]].to_numpy(dtype=float)
    seen = ~np.isnan(cube[:, :, 0]).all(axis=0)
    periods = int(np.flatnonzero(seen)[-1]) + 1 if seen.any() else 0
    return Panel(list(names), start, cube[:, :periods, 0], cube[:, :, 1:])


SERIES, PERIOD = " series", " period"  # columns beside those of the data, as no file can name them


def fill(values: np.ndarray, gaps: Gaps) -> np.ndarray:
    """Return values without gaps: (series, periods), NaN only before a series begins.

    A gap at the end takes the last value, whatever is done with the others.
    """
    frame = pd.DataFrame(values.T)
    begun = frame.notna().cummax()
    if gaps == "zero":
        frame = frame.fillna(0.0)
    elif gaps == "interpolate":
        frame = frame.interpolate(limit_area="inside")
    return frame.ffill().where(begun).to_numpy().T
