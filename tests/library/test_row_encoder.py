"""A row gets the same numbers to the last bit, alone or among others, encoded quickly or not."""

import warnings

import numpy as np
import pandas as pd
import pytest
from mlsteps.errors import UserError
from mlsteps.modeling import store
from mlsteps.preparation import Column
from mlsteps.preparation.row_encoder import RowEncoder
from project import edit, load, part, run_in
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    SplineTransformer,
    StandardScaler,
)

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


@pytest.mark.parametrize("labels", ["one_hot", "ordinal"])
@pytest.mark.parametrize("scaling", ["standard", "auto", "min-max", "none"])
@pytest.mark.parametrize("clip_share", [0.0, 0.05])
@pytest.mark.parametrize("rare_share", [0.0, 0.1])
def test_numbers_are_those_of_the_encoder(
    problem_type, define, scaling, clip_share, rare_share, labels
):
    settings = {"scaling": scaling, "clip_share": clip_share, "rare_share": rare_share}
    build = getattr(part(problem_type, "preparation.encoder"), labels)
    columns = [Column(name=name, kind=kind) for name, kind in KINDS.items()]
    check_same_numbers(build(columns, define(preparation=settings)))


def check_same_numbers(encoder):
    features = frame(600)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of the column that is empty
        encoder.fit(features)
    features.loc[:50, "label"] = "never seen"
    features.loc[20:60, "label"] = None
    features.loc[:9, "flag"] = "never seen"
    features.loc[:40, "size"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of labels that it has not seen
        expected = encoder.transform(features)
        expected = expected.toarray() if hasattr(expected, "toarray") else expected
        assert np.array_equal(RowEncoder(encoder).encode(features), expected, equal_nan=True)
        one = RowEncoder(encoder).encode(features.tail(1))
    assert np.allclose(one, expected[-1:], rtol=1e-12, equal_nan=True)


IMPUTED = (SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
UNKNOWN = {"handle_unknown": "ignore"}
LABELS = ["label", "flag"]


@pytest.mark.parametrize(
    "parts",
    [
        [("curves", make_pipeline(*IMPUTED, SplineTransformer(n_knots=4)), ["size", "share"])],
        [("place", make_pipeline(*IMPUTED, KMeans(3, random_state=0)), ["size", "share"])],
        [("words", TfidfVectorizer(), "words"), ("n", make_pipeline(*IMPUTED), ["size"])],
        [("labels", OneHotEncoder(**UNKNOWN), LABELS)],
        [("labels", OneHotEncoder(drop="first", sparse_output=False, **UNKNOWN), LABELS)],
        [("numbers as labels", OneHotEncoder(**UNKNOWN), ["share"])],
        [("numbers", make_pipeline(*IMPUTED), make_column_selector(dtype_include="number"))],
        [("numbers", make_pipeline(*IMPUTED), slice(0, 2)), ("dropped", "drop", ["flag"])],
        [("numbers", "passthrough", ["size", "share"])],
        [("constant", make_pipeline(SimpleImputer(strategy="constant", fill_value=7)), ["size"])],
        [("centred", make_pipeline(StandardScaler(with_std=False)), ["size"])],
    ],
    ids=lambda parts: parts[0][0],
)
def test_transformers_of_ones_own_are_called_themselves(parts):
    check_same_numbers(ColumnTransformer(parts))


def test_weights_and_steps_around_the_columns_are_kept():
    numbers = ColumnTransformer(
        [("n", make_pipeline(*IMPUTED), ["size", "share"])], transformer_weights={"n": 3}
    )
    check_same_numbers(numbers)
    check_same_numbers(make_pipeline(numbers, PCA(1, random_state=0)))


def test_labels_that_the_encoder_refuses_are_refused():
    encoder = ColumnTransformer([("flag", OrdinalEncoder(), ["flag"])]).fit(frame(100))
    with pytest.raises(ValueError, match="unknown categories"):
        RowEncoder(encoder).encode(frame(1).assign(flag="never seen"))


@pytest.mark.parametrize("step", [StandardScaler(), FunctionTransformer()])
def test_infinite_numbers_are_refused_by_name(step):
    names, rows = ["size", "share"], frame(20)
    encoder = ColumnTransformer([("number", Pipeline([("step", step)]), names)]).fit(rows[names])
    rows.loc[3, "share"] = np.inf
    with pytest.raises(UserError, match='makes infinite values in "share"'):
        RowEncoder(encoder).encode(rows)


@pytest.mark.parametrize(
    "name", ["logistic", "tree", "forest", "extra_trees", "boosting", "svm", "knn", "mlp"]
)
def test_every_candidate_predicts_one_row_as_it_predicts_all(own, rows, name):
    edit(own, models={"candidates": [name]})
    trained = run_in(own.root, "train")
    assert trained.exit_code == 0, trained.output
    predictor = load(own, store.newest_version(own.models))
    some = rows.head(43)
    whole = predictor.predict(some)
    for size in (1, 5):
        starts = range(0, len(some), size)
        parts = pd.concat([predictor.predict(some.iloc[s : s + size]) for s in starts])
        pd.testing.assert_frame_equal(parts, whole, check_exact=True)
