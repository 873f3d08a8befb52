"""What turns features into numbers for the estimators. It is fitted on training rows only.

The place for transformers that learn from several rows: add one to the steps below, or a part of
your own with the columns that it takes.
"""

from mlsteps.preparation import Clipper, Column, DateParts, Definition, TextTopics
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

MOST_LABELS = 50  # of one category; the rarer ones count as one


def one_hot(features: list[Column], definition: Definition) -> ColumnTransformer:
    """Return a transformer that makes a column of zeros and ones for each label of a category.

    A missing label is a label of its own; labels that are rare or were never seen share one column.
    """
    labels = OneHotEncoder(
        min_frequency=definition.preparation.rare_share or None,
        max_categories=MOST_LABELS,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    )
    return _encoder(features, definition, labels)


def ordinal(features: list[Column], definition: Definition) -> ColumnTransformer:
    """Return a transformer that makes one column of numbers of each category: enough for trees.

    Rare labels have the same number; it is NaN where a label is missing or was never seen.
    """
    labels = OrdinalEncoder(
        min_frequency=definition.preparation.rare_share or None,
        max_categories=MOST_LABELS,
        handle_unknown="use_encoded_value",
        unknown_value=float("nan"),
    )
    return _encoder(features, definition, labels)


def _encoder(
    features: list[Column], definition: Definition, labels: OneHotEncoder | OrdinalEncoder
) -> ColumnTransformer:
    names = {
        kind: [column.name for column in features if column.kind == kind]
        for kind in ("number", "category", "date", "text")
    }
    seed = definition.search.seed
    parts = [
        ("number", _numbers(definition), names["number"]),
        ("category", labels, names["category"]),
        ("date", make_pipeline(DateParts(), *_impute_and_scale(definition)), names["date"]),
        *((f"text_{k}", TextTopics(seed=seed), [name]) for k, name in enumerate(names["text"])),
    ]
    return ColumnTransformer(
        [part for part in parts if part[2]], sparse_threshold=0, verbose_feature_names_out=False
    )


def _numbers(definition: Definition) -> Pipeline:
    share = definition.preparation.clip_share
    clip = [Clipper(share)] if share else []
    return make_pipeline(*clip, *_impute_and_scale(definition))


def _impute_and_scale(
    definition: Definition,
) -> list[SimpleImputer | StandardScaler | MinMaxScaler]:
    # A column that is empty in one fold is kept, so that all folds have the same columns. Where
    # nothing but distance counts, a column that says what was missing would make rare gaps loud.
    impute = SimpleImputer(
        strategy="median",
        add_indicator=definition.problem.needs_target,
        keep_empty_features=True,
    )
    scalers = {"standard": StandardScaler(), "min-max": MinMaxScaler()}
    scaler = scalers.get(definition.preparation.scaling)
    return [impute, scaler] if scaler else [impute]
