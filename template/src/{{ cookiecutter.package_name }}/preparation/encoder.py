"""Turn features into numbers for the estimators.

The place for whatever is computed from several rows: an encoder is fitted on training rows only, in
every fold of the cross-validation anew, and is stored with the model. Any transformer of
scikit-learn can be added: as a step of a pipeline, or as a part with the columns that it takes,
``parts.append(("place", KMeans(8), ["latitude", "longitude"]))``. One that needs the target, as
``TargetEncoder`` does, is given it.
"""

from mlsteps.preparation import Clipper, Column, DateParts, Definition, SharedUnitScaler, TextTopics
from sklearn.base import TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

MOST_CATEGORIES = 50  # of one feature; of more, each is encoded as the mean target of its rows


def one_hot(features: list[Column], definition: Definition) -> ColumnTransformer:
    """Return an encoder with a column of zeros and ones for each category of a feature.

    A missing value is a category of its own; those that are rare or were never seen share a column.
    """
    categories = OneHotEncoder(
        min_frequency=definition.preparation.rare_share or None,
        max_categories=MOST_CATEGORIES,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    )
    return _encoder(features, definition, categories)


def ordinal(features: list[Column], definition: Definition) -> ColumnTransformer:
    """Return an encoder with one column of numbers for a feature of categories: enough for trees.

    Rare categories have the same number; it is NaN where one is missing or was never seen.
    """
    categories = OrdinalEncoder(
        min_frequency=definition.preparation.rare_share or None,
        max_categories=MOST_CATEGORIES,
        handle_unknown="use_encoded_value",
        unknown_value=float("nan"),
    )
    return _encoder(features, definition, categories)


def _encoder(
    features: list[Column], definition: Definition, for_categories: TransformerMixin
) -> ColumnTransformer:
    """Return an encoder with a part for each kind of feature."""
    numbers, categories, dates, texts = (
        [feature.name for feature in features if feature.kind == kind]
        for kind in ("number", "category", "date", "text")
    )
    many = []  # without a target, the rarest of them count as one
    if definition.problem.needs_target:
        many = [each.name for each in features if len(each.categories) > MOST_CATEGORIES]
    few = [name for name in categories if name not in many]
    parts = [
        ("number", _numbers(definition), numbers),
        ("category", for_categories, few),
        ("categories", _mean_target(definition), many),
        ("date", make_pipeline(DateParts(), *_impute_and_scale(definition)), dates),
    ]
    for k, text in enumerate(texts):  # each has words of its own
        parts.append((f"text_{k}", TextTopics(seed=definition.search.seed), [text]))
    return ColumnTransformer(
        [(name, transformer, columns) for name, transformer, columns in parts if columns],
        sparse_threshold=0,
        verbose_feature_names_out=False,
    )


def _mean_target(definition: Definition) -> Pipeline:
    """Return what becomes of many categories: the mean target of the rows of each.

    Of the rows that it is fitted to, each gets the mean of other rows: its own target would tell.
    """
    number = definition.problem.target_kind == "number"
    folds = KFold if number else StratifiedKFold
    encoder = TargetEncoder(
        target_type="continuous" if number else "auto",
        cv=folds(5, shuffle=True, random_state=definition.search.seed),
    )
    return make_pipeline(encoder, *_impute_and_scale(definition))


def _numbers(definition: Definition) -> Pipeline:
    """Return what becomes of numbers: outliers are clipped if project.toml says so."""
    share = definition.preparation.clip_share
    clip = [Clipper(share)] if share else []
    return make_pipeline(*clip, *_impute_and_scale(definition))


def _impute_and_scale(definition: Definition) -> list[TransformerMixin]:
    """Return the steps that fill gaps with the median and bring columns to one scale."""
    impute = SimpleImputer(
        strategy="median",
        # Estimators of distance would take a column that marks rare gaps for a strong difference.
        add_indicator=definition.problem.needs_target,
        # A column that is empty in one fold stays, so that all folds have the same columns.
        keep_empty_features=True,
    )
    scalers = {
        "standard": [StandardScaler()],
        "auto": [SharedUnitScaler()],
        "min-max": [MinMaxScaler()],
        "none": [],
    }
    return [impute, *scalers[definition.preparation.scaling]]
