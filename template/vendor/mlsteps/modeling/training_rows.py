"""The training rows stay in their file: as numbers they may fill the memory once, not twice."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..files import read_frame, read_parts
from ..preparation.schema import Schema
from ..preparation.schema import DATE
from ..problem.columns import column_of


class TrainingRows:
    """Prepared training rows, by date if they have one.

    Parameters
    ----------
    path
        Of train.parquet.
    schema
        What it holds.

    Attributes
    ----------
    beside : DataFrame of n rows
        What travels beside the features: the target, and what the folds are cut by.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self._path = path
        self._features = [column.name for column in schema.features]
        self._target = schema.target
        beside = read_frame(path, without=self._features)
        self._order = np.arange(len(beside))
        if DATE in beside:
            self._order = np.argsort(beside[DATE].to_numpy(), kind="stable")
        self.beside = beside.iloc[self._order]

    def __len__(self) -> int:
        return len(self._order)

    @property
    def target(self) -> pd.Series:
        """What is to be predicted, missing where nothing is."""
        return column_of(self.beside, self._target)

    def parts(self, positions: np.ndarray) -> Iterator[tuple[np.ndarray, pd.DataFrame]]:
        """Yield the features of the rows at some positions, part by part as the file has them.

        Yields
        ------
        ndarray of int, DataFrame
            For each row of the part its place in `positions`.
        """
        places = np.full(len(self), -1)
        places[self._order[positions]] = np.arange(len(positions))
        start = 0
        for part in read_parts(self._path, self._features):
            here = places[start : start + len(part)]
            start += len(part)
            if (here >= 0).any():
                yield here[here >= 0], part[here >= 0]

    def features(self, positions: np.ndarray) -> pd.DataFrame:
        """Return the features of the rows at some positions, in that order."""
        places, parts = zip(*self.parts(positions), strict=True)
        order = np.argsort(np.concatenate(places))
        found = pd.concat(parts, ignore_index=True).iloc[order]
        return found.set_axis(self.beside.index[positions])
