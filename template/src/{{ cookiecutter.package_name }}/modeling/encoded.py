"""Rows as numbers: encoded once, for all the candidates that learn from them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from ..preparation.encoder import encode, fit_encoder
from ..preparation.schema import Schema
from ..problem import TARGET_KIND
from ..problem.columns import column_of
from ..problem.definition import Definition


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
    """A fold as numbers.

    Parameters
    ----------
    train
        Prepared training rows.
    inside, outside : ndarray of int
        Positions of the rows to learn from, and of those to be judged on.

    Attributes
    ----------
    inside
        The rows to learn from.
    """

    def __init__(
        self,
        train: pd.DataFrame,
        inside: np.ndarray,
        outside: np.ndarray,
        schema: Schema,
        definition: Definition,
    ) -> None:
        self.inside = encode_training(train.iloc[inside], schema, definition)
        self._train, self._outside, self._schema = train, outside, schema

    @cached_property
    def outside(self) -> tuple[pd.DataFrame, pd.Series]:
        """The numbers and the target of the rows to be judged on, with the index of `train`."""
        return self._encode(self._train.iloc[self._outside])

    @cached_property
    def everything(self) -> tuple[pd.DataFrame, pd.Series]:
        """The numbers and the target of all rows, inside and outside."""
        return self._encode(self._train)

    def _encode(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
        features, target = features_and_target(rows, self._schema)
        numbers = encode(self.inside.encoder, features)
        return pd.DataFrame(numbers, index=features.index, copy=False), target


Fitted = tuple[BaseEstimator, EncodedFold]  # an estimator that has learnt the inside of a fold
Answer = Callable[[BaseEstimator, pd.DataFrame, pd.Series], pd.DataFrame]


def encode_training(rows: pd.DataFrame, schema: Schema, definition: Definition) -> Encoded:
    """Fit the encoder to prepared rows, and encode them."""
    features, target = features_and_target(rows, schema)
    started = time.monotonic()
    encoder = fit_encoder(features, schema.features, definition.preparation, definition.search.seed)
    numbers = encode(encoder, features)
    if TARGET_KIND == "category":
        target = target.astype("category")  # as an array, one Python string serves all its rows
    return Encoded(encoder, numbers, target.to_numpy(), time.monotonic() - started)


def features_and_target(rows: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.Series]:
    """Part prepared rows into what the model sees and the target, missing where there is none."""
    names = [column.name for column in schema.features]
    return rows[names], column_of(rows, schema.target)
