"""Rows as numbers: encoded once, for all the candidates that learn from them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from ..files import read_frame, read_parts
from ..preparation.schema import DATE, Schema
from ..problem.columns import column_of
from ..problem.definition import Definition
from .search import BuildEncoder

FIT_ROWS = 100_000  # a sample of more rows has the same medians, scales and shares of labels


class TrainingRows:
    """Prepared training rows, by date if they have one.

    The features stay in their file: as numbers they may fill the memory once, not twice.

    Parameters
    ----------
    path
        Of train.parquet.
    schema
        What it holds.

    Attributes
    ----------
    metadata : DataFrame of n rows
        All columns but the features: the target, and what the folds are cut by.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self._path = path
        self._features = [column.name for column in schema.features]
        self._target = schema.target
        metadata = read_frame(path, without=self._features)
        self._order = np.arange(len(metadata))
        if DATE in metadata:
            self._order = np.argsort(metadata[DATE].to_numpy(), kind="stable")
        self.metadata = metadata.iloc[self._order]

    def __len__(self) -> int:
        return len(self._order)

    @property
    def target(self) -> pd.Series:
        """What is to be predicted, missing where nothing is."""
        return column_of(self.metadata, self._target)

    def parts(self, positions: np.ndarray) -> Iterator[tuple[np.ndarray, pd.DataFrame]]:
        """Yield the features of the rows at some positions, part by part as the file has them."""
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
        return found.set_axis(self.metadata.index[positions])


@dataclass(frozen=True)
class Encoded:
    """Training rows as numbers.

    Attributes
    ----------
    encoder
        Fitted to these rows.
    numbers, target : ndarray of (n, encoded columns), ndarray of (n,)
        What an estimator learns from.
    seconds
        What it took to fit the encoder and to encode.
    """

    encoder: ColumnTransformer
    numbers: np.ndarray
    target: np.ndarray
    seconds: float


@dataclass
class EncodedFold:
    """A fold as numbers, which are made when they are needed.

    Parameters
    ----------
    train
        All training rows.
    fit_positions, score_positions : ndarray of int
        Of the rows to fit to, and of those to score.
    build_encoder
        Returns the unfitted encoder.
    """

    train: TrainingRows
    fit_positions: np.ndarray
    score_positions: np.ndarray
    schema: Schema
    definition: Definition
    build_encoder: BuildEncoder

    @cached_property
    def fitted(self) -> Encoded:
        """The rows to fit to."""
        return encode_training(
            self.train, self.schema, self.definition, self.build_encoder, self.fit_positions
        )

    @cached_property
    def encoder(self) -> ColumnTransformer:
        """Fitted to the rows to fit to."""
        return self.fitted.encoder

    @cached_property
    def held_out(self) -> tuple[pd.DataFrame, pd.Series]:
        """The numbers and the target of the rows to score, with their index."""
        return self._encode(self.score_positions)

    @cached_property
    def everything(self) -> tuple[pd.DataFrame, pd.Series]:
        """The numbers and the target of all rows."""
        return self._encode(np.arange(len(self.train)))

    def forget(self) -> None:
        """Drop the numbers, to make room for others; the encoder stays."""
        _ = self.encoder
        for name in ("fitted", "held_out", "everything"):
            self.__dict__.pop(name, None)

    def _encode(self, positions: np.ndarray) -> tuple[pd.DataFrame, pd.Series]:
        target = self.train.target.iloc[positions]
        numbers = np.empty((len(positions), 0))
        for places, features in self.train.parts(positions):
            encoded = self.encoder.transform(features)
            if not numbers.size:
                numbers = np.empty((len(positions), encoded.shape[1]))
            numbers[places] = encoded
        return pd.DataFrame(numbers, index=target.index, copy=False), target


def encode_training(
    rows: TrainingRows,
    schema: Schema,
    definition: Definition,
    build_encoder: BuildEncoder,
    positions: np.ndarray | None = None,
) -> Encoded:
    """Fit the encoder to rows, those at some positions if any are given, and encode them.

    Where rows are many, it is fitted to a random sample of them.
    """
    if positions is None:
        positions = np.arange(len(rows))
    positions = positions[definition.problem.learns_from(rows.target.iloc[positions])]
    target = rows.target.iloc[positions]
    if definition.problem.target_kind == "category":
        target = target.astype("category")  # as an array, one Python string serves all its rows
    y = target.to_numpy()
    started = time.monotonic()
    sample = np.arange(len(positions))
    if len(positions) > FIT_ROWS:
        generator = np.random.default_rng(definition.search.seed)
        sample = generator.choice(len(positions), FIT_ROWS, replace=False)
    encoder = build_encoder(schema.features, definition)
    # A transformer that looks at the target encodes the rows that it is fitted to by cross-fitting.
    known = y[sample] if definition.problem.needs_target else None
    encoded = encoder.fit_transform(rows.features(positions[sample]), known)
    numbers = np.asarray(encoded, dtype="float64", order="C")
    if len(sample) < len(positions):
        numbers = np.empty((len(positions), encoded.shape[1]))
        numbers[sample] = encoded
        others = np.setdiff1d(np.arange(len(positions)), sample)
        for places, features in rows.parts(positions[others]):
            numbers[others[places]] = encoder.transform(features)
    return Encoded(encoder, numbers, y, time.monotonic() - started)
