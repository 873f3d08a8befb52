"""Rows as numbers: encoded once, for all the candidates that learn from them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from ..preparation.schema import Schema
from ..problem.columns import column_of
from ..problem.definition import Definition
from .candidate import BuildEncoder
from .training_rows import TrainingRows

FIT_ROWS = 100_000  # of more rows a sample tells medians, scales and shares of labels as well


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


class EncodedFold:
    """A fold as numbers, which are made when they are asked for.

    Parameters
    ----------
    train
        All training rows.
    inside, outside : ndarray of int
        Positions of the rows to learn from, and of those to be judged on.
    build_encoder
        Returns the unfitted encoder.
    """

    def __init__(
        self,
        train: TrainingRows,
        inside: np.ndarray,
        outside: np.ndarray,
        schema: Schema,
        definition: Definition,
        build_encoder: BuildEncoder,
    ) -> None:
        self._train, self._inside, self._outside = train, inside, outside
        self._schema, self._definition, self._build = schema, definition, build_encoder

    @cached_property
    def inside(self) -> Encoded:
        """The rows to learn from."""
        return encode_training(
            self._train, self._schema, self._definition, self._build, self._inside
        )

    @cached_property
    def encoder(self) -> ColumnTransformer:
        """Fitted to the rows to learn from."""
        return self.inside.encoder

    @cached_property
    def outside(self) -> tuple[pd.DataFrame, pd.Series]:
        """The numbers and the target of the rows to be judged on, with their index."""
        return self._encoded(self._outside)

    @cached_property
    def everything(self) -> tuple[pd.DataFrame, pd.Series]:
        """The numbers and the target of all rows, inside and outside."""
        return self._encoded(np.arange(len(self._train)))

    def forget(self) -> None:
        """Drop the numbers, to make room for others; the encoder stays."""
        _ = self.encoder
        for name in ("inside", "outside", "everything"):
            self.__dict__.pop(name, None)

    def _encoded(self, positions: np.ndarray) -> tuple[pd.DataFrame, pd.Series]:
        target = self._train.target.iloc[positions]
        numbers = encode(self.encoder, self._train.parts(positions), len(positions))
        return pd.DataFrame(numbers, index=target.index, copy=False), target


Fitted = tuple[BaseEstimator, EncodedFold]  # an estimator that has learnt the inside of a fold
Answer = Callable[[BaseEstimator, pd.DataFrame, pd.Series], pd.DataFrame]


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
    target = rows.target
    positions = positions[definition.problem.learns_from(target.iloc[positions])]
    started = time.monotonic()
    sample = positions
    if len(positions) > FIT_ROWS:
        generator = np.random.default_rng(definition.search.seed)
        sample = generator.choice(positions, FIT_ROWS, replace=False)
    encoder = build_encoder(schema.features, definition)
    encoder.fit(rows.features(sample))
    numbers = encode(encoder, rows.parts(positions), len(positions))
    target = target.iloc[positions]
    if definition.problem.target_kind == "category":
        target = target.astype("category")  # as an array, one Python string serves all its rows
    return Encoded(encoder, numbers, target.to_numpy(), time.monotonic() - started)


def features_and_target(rows: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.Series]:
    """Part prepared rows into what the model sees and the target, missing where there is none."""
    names = [column.name for column in schema.features]
    return rows[names], column_of(rows, schema.target)


def encode(
    encoder: ColumnTransformer, parts: Iterable[tuple[np.ndarray, pd.DataFrame]], rows: int
) -> np.ndarray:
    """Return the numbers of rows that come in parts, for the encoder holds several copies of them.

    Parameters
    ----------
    parts : of ndarray of int, DataFrame
        The places that the rows of a part have in the result, and their features.
    rows
        How many there are in all.

    Returns
    -------
    ndarray of float64, (rows, encoded columns)
    """
    numbers = np.empty((rows, 0))
    for places, features in parts:
        encoded = encoder.transform(features)
        if not numbers.size:
            numbers = np.empty((rows, encoded.shape[1]))
        numbers[places] = encoded
    return numbers
