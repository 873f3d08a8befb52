"""The part of the model that turns features into numbers. It is fitted on training rows only."""

from collections.abc import Iterable
from typing import get_args

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from ..problem import NEEDS_TARGET
from ..problem.columns import Column
from ..problem.settings import Kind, Labels
from ..problem.tables import Preparation
from .transformers import Clipper, DateParts, TextTopics

MOST_LABELS = 50  # of one category; the rarer ones count as one


def build_encoder(
    features: list[Column], settings: Preparation, seed: int, labels: Labels = "columns"
) -> ColumnTransformer:
    """Return an unfitted transformer from a frame of features to a dense array of numbers.

    Missing numbers become the median, with a column that says so if there is a target.

    Parameters
    ----------
    labels
        "columns" makes a column of zeros and ones for each label of a category. A missing label
        is a label of its own; labels that are rare or were never seen share one column. "codes"
        makes one column of the places of the labels, rare ones with the same place, and NaN where
        a label is missing or was never seen: enough for trees, in a fraction of the memory.
    """
    names = {kind: [c.name for c in features if c.kind == kind] for kind in get_args(Kind)}
    parts = [
        ("number", _numbers(settings), names["number"]),
        ("category", _labels(settings, labels), names["category"]),
        ("date", make_pipeline(DateParts(), _impute(), *_scale(settings)), names["date"]),
        *((f"text_{k}", TextTopics(seed=seed), [name]) for k, name in enumerate(names["text"])),
    ]
    return ColumnTransformer(
        [part for part in parts if part[2]], sparse_threshold=0, verbose_feature_names_out=False
    )


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


def _numbers(settings: Preparation) -> Pipeline:
    clip = [Clipper(settings.clip_share)] if settings.clip_share else []
    return make_pipeline(*clip, _impute(), *_scale(settings))


def _labels(settings: Preparation, labels: Labels) -> OneHotEncoder | OrdinalEncoder:
    rare = {"min_frequency": settings.rare_share or None, "max_categories": MOST_LABELS}
    if labels == "codes":
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, **rare)
    return OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False, **rare)


def _impute() -> SimpleImputer:
    # A column that is empty in one fold is kept, so that all folds have the same columns. Where
    # nothing but distance counts, a column that says what was missing would make rare gaps loud.
    return SimpleImputer(strategy="median", add_indicator=NEEDS_TARGET, keep_empty_features=True)


def _scale(settings: Preparation) -> list[StandardScaler | MinMaxScaler]:
    scalers = {"standard": StandardScaler(), "min-max": MinMaxScaler(), "none": None}
    scaler = scalers[settings.scaling]
    return [scaler] if scaler else []
