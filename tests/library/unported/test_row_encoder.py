"""A row gets the same answer to the last bit, alone or among others, over HTTP or in a file."""

import warnings
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.modeling import CANDIDATES, store
from {{ cookiecutter.package_name }}.modeling.compare import few_threads
from {{ cookiecutter.package_name }}.modeling.encoded import encode_training
from {{ cookiecutter.package_name }}.modeling.predictor import (
    Predictor,
    load_predictor,
)
from {{ cookiecutter.package_name }}.modeling.training_rows import TrainingRows
from {{ cookiecutter.package_name }}.preparation.encoder import build_encoder
from {{ cookiecutter.package_name }}.preparation.row_encoder import RowEncoder
from {{ cookiecutter.package_name }}.problem.columns import Column
from {{ cookiecutter.package_name }}.problem.settings import Labels
from {{ cookiecutter.package_name }}.problem.tables import Preparation

KINDS = {
    "size": "number",
    "share": "number",
    "empty": "number",
    "label": "category",
    "flag": "category",
    "day": "date",
    "words": "text",
}


def frame(rows):
    """Return features of every kind, with all that they may hold."""
    random = np.random.default_rng(0)
    labels = [*"xyzuvw", *(f"rare {k}" for k in range(80))]
    return pd.DataFrame(
        {
            "size": random.normal(size=rows) * 1e7,
            "share": np.where(random.random(rows) < 0.3, np.nan, random.normal(size=rows)),
            "empty": np.full(rows, np.nan),
            "label": pd.Series(random.choice(labels, rows), dtype="str"),
            "flag": pd.Series(
                np.where(random.random(rows) < 0.2, None, random.choice(["p", "q"], rows)),
                dtype="str",
            ),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 999, rows), "D"),
            "words": pd.Series([f"some words {k % 7} here" for k in range(rows)], dtype="str"),
        }
    )


@pytest.mark.parametrize("labels", get_args(Labels))
@pytest.mark.parametrize("scaling", ["standard", "min-max", "none"])
@pytest.mark.parametrize("clip_share", [0.0, 0.05])
@pytest.mark.parametrize("rare_share", [0.0, 0.1])
def test_numbers_are_those_of_the_encoder(scaling, clip_share, rare_share, labels):
    settings = Preparation(scaling=scaling, clip_share=clip_share, rare_share=rare_share)
    columns = [Column(name=name, kind=kind) for name, kind in KINDS.items()]
    features = frame(600)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy tells of the column that is empty
        encoder = build_encoder(columns, settings, 0, labels).fit(features)
    features.loc[:50, "label"] = "never seen"
    features.loc[20:60, "label"] = None
    features.loc[:9, "flag"] = "never seen"
    features.loc[:40, "size"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn tells of labels that it has not seen
        expected = encoder.transform(features)
    assert np.array_equal(RowEncoder(encoder).encode(features), expected, equal_nan=True)


@pytest.mark.parametrize("step", [StandardScaler(), FunctionTransformer()])
def test_infinite_numbers_are_refused_by_name(step):
    names, rows = ["size", "share"], frame(20)
    encoder = ColumnTransformer([("number", Pipeline([("step", step)]), names)]).fit(rows[names])
    rows.loc[3, "share"] = np.inf
    with pytest.raises(UserError, match='makes infinite values in "share"'):
        RowEncoder(encoder).encode(rows)


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_candidate_answers_one_row_as_it_answers_all(project, rows, name):
    champion = load_predictor(store.champion_folder(project.models))
    prepared = TrainingRows(project.prepared / "train.parquet", champion.schema)
    with few_threads(len(rows)), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few rows do not let every candidate converge
        labels = CANDIDATES[name].labels
        encoded = encode_training(prepared, champion.schema, project.definition, labels)
        estimator = clone(CANDIDATES[name].estimator)
        if "n_jobs" in estimator.get_params():
            estimator.set_params(n_jobs=1)  # as in the stored model: threads add in any order
        estimator.fit(encoded.numbers, encoded.target)
        pipeline = Pipeline([("encoder", encoded.encoder), ("estimator", estimator)])
        predictor = Predictor(champion.folder, pipeline, champion.schema)
        asked = rows.head(43)
        whole = predictor.predict(asked)
        for size in (1, 5):
            starts = range(0, len(asked), size)
            parts = pd.concat([predictor.predict(asked.iloc[s : s + size]) for s in starts])
            pd.testing.assert_frame_equal(parts, whole, check_exact=True)
