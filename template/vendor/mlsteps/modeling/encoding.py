"""Rows as numbers: encoded once, for all the candidates that are fitted to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from ..files import read_frame, read_parts
from ..preparation.schema import Schema
from ..problem.columns import column_of
from ..problem.definition import Definition
from ..problem.eligible import DATE
from .parallel import stopwatch
from .search import BuildEncoder

FIT_ROWS = 100_000  # a sample of more rows has the same medians, scales and shares of labels


class TrainingRows:
    """Prepared training rows, by date if they have one.

    The features stay in their file: as numbers they may fill the memory once, not twice.
    `metadata` holds all other columns: the target, and what the folds are cut by.
    """

    def __init__(self, path: Path, schema: Schema, definition: Definition) -> None:
        self.schema = schema
        self.definition = definition
        self.path = path
        self._features = [column.name for column in schema.features]
        metadata = read_frame(path, without=self._features)
        self._order = np.arange(len(metadata))
        if DATE in metadata:
            self._order = np.argsort(metadata[DATE].to_numpy(), kind="stable")
        self.metadata = metadata.iloc[self._order]
        self.target = column_of(self.metadata, schema.target)

    def __len__(self) -> int:
        return len(self._order)

    def sample(self, most: int) -> np.ndarray:
        """Return the positions of so many rows, drawn at random."""
        generator = np.random.default_rng(self.definition.search.seed)
        return generator.choice(len(self), min(len(self), most), replace=False)

    def features(self, positions: np.ndarray) -> pd.DataFrame:
        """Return the features of the rows at some positions, in that order."""
        places, parts = zip(*self.parts(positions), strict=True)
        order = np.argsort(np.concatenate(places))
        found = pd.concat(parts, ignore_index=True).iloc[order]
        return found.set_axis(self.metadata.index[positions])

    def encode(self, encoder: ColumnTransformer, positions: np.ndarray) -> np.ndarray:
        """Return the numbers of rows, part by part: an encoder copies them several times."""
        numbers = np.empty((len(positions), 0))
        for places, features in self.parts(positions):
            encoded = encoder.transform(features)
            if not numbers.size:
                numbers = np.empty((len(positions), encoded.shape[1]))
            numbers[places] = encoded
        return numbers

    def parts(self, positions: np.ndarray) -> Iterator[tuple[np.ndarray, pd.DataFrame]]:
        """Yield the features of some rows as the file has them, and where each row belongs."""
        places = np.full(len(self), -1)
        order = self._order[positions]
        places[order] = np.arange(len(positions))
        start, end = 0, order.max(initial=-1)
        for part in read_parts(self.path, self._features):
            here = places[start : start + len(part)]
            start += len(part)
            if (here >= 0).any():
                yield here[here >= 0], part[here >= 0]
            if start > end:  # the rest of the file holds none of them
                return


@dataclass
class EncodedFold:
    """Rows to fit to and rows to predict, as numbers that are made when they are needed.

    With a target, the rows held out are predicted; without one all rows, so that the models of all
    folds can be compared.
    """

    rows: TrainingRows
    build_encoder: BuildEncoder
    fit_positions: np.ndarray
    held_out: np.ndarray

    def __post_init__(self) -> None:
        problem = self.rows.definition.problem
        known = self.rows.target.iloc[self.fit_positions]
        self.fit_positions = self.fit_positions[problem.learns_from(known)]
        self._predicted = self.held_out if problem.needs_target else np.arange(len(self.rows))

    @cached_property
    def training(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers and the target to fit to; they fit `encoder`, and `seconds` is their cost."""
        rows, problem = self.rows, self.rows.definition.problem
        known = rows.target.iloc[self.fit_positions]
        if problem.target_kind == "category":
            known = known.astype("category")  # as an array, one string then serves all its rows
        target = known.to_numpy()
        seconds = stopwatch()
        sample = np.arange(len(target))
        if len(target) > FIT_ROWS:
            generator = np.random.default_rng(rows.definition.search.seed)
            sample = generator.choice(len(target), FIT_ROWS, replace=False)
        self.encoder = self.build_encoder(rows.schema.features, rows.definition)
        # A transformer that looks at the target encodes the rows that it is fitted to by
        # cross-fitting.
        features = rows.features(self.fit_positions[sample])
        encoded = self.encoder.fit_transform(
            features, target[sample] if problem.needs_target else None
        )
        numbers = np.asarray(encoded, dtype="float64", order="C")
        if len(sample) < len(target):
            numbers = np.empty((len(target), encoded.shape[1]))
            numbers[sample] = encoded
            others = np.setdiff1d(np.arange(len(target)), sample)
            for places, part in rows.parts(self.fit_positions[others]):
                numbers[others[places]] = self.encoder.transform(part)
        self.seconds = seconds()
        return numbers, target

    @cached_property
    def numbers(self) -> np.ndarray:
        """The numbers of the rows to predict."""
        return self.rows.encode(self.encoder, self._predicted)

    @property
    def target(self) -> pd.Series:
        """The target of the rows to predict, missing where it is not known."""
        return self.rows.target.iloc[self._predicted]

    @property
    def size(self) -> int:
        """How many numbers are kept to fit to: 0 before they are made."""
        return self.__dict__["training"][0].size if "training" in self.__dict__ else 0

    def forget(self) -> None:
        """Drop the numbers, to make room for others; the fitted encoder stays."""
        self.__dict__.pop("training", None)
        self.__dict__.pop("numbers", None)
