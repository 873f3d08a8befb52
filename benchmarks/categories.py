"""Features of hundreds of categories: codes of the frequent ones, or the mean target of each.

On tables that are not among those of quality.py: the error on a quarter of the rows with each
encoding, the mean of some splits, for boosting and extremely randomized trees (codes against means)
and for a linear model (a column for each of the 50 most frequent against means).
"""

from pathlib import Path
from statistics import fmean, geometric_mean
from tempfile import TemporaryDirectory

import pandas as pd
from common import read_dataset
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

SPLITS, MOST_ROWS, MOST_CATEGORIES = 3, 6000, 50
TABLES = {  # the target, and what is known after it or tells it
    ("modeldata", "tate_text"): ("year", ["id", "title"]),
    ("nycflights13", "flights"): (
        "arr_delay",
        ["dep_delay", "dep_time", "arr_time", "air_time", "tailnum", "time_hour", "flight"],
    ),
    ("openintro", "loans_full_schema"): (
        "interest_rate",
        [
            "grade",
            "sub_grade",
            "installment",
            "balance",
            "paid_total",
            "paid_interest",
            "paid_principal",
        ],
    ),
}
RARE = {"min_frequency": 0.01, "max_categories": MOST_CATEGORIES}
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **RARE)
COLUMNS = OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False, **RARE)
MODELS = {
    "boosting": (CODES, HistGradientBoostingRegressor(max_iter=200, random_state=0)),
    "extra trees": (CODES, ExtraTreesRegressor(max_features=0.5, n_jobs=-1, random_state=0)),
    "linear": (COLUMNS, RidgeCV([0.1, 1.0, 10.0, 100.0])),
}


def error(
    rows: pd.DataFrame, target: pd.Series, few: BaseEstimator, many: BaseEstimator, model: object
) -> float:
    """Return the error of a model with one encoder for few categories, and one for many."""
    labels = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
    large = [name for name in labels if rows[name].nunique() > MOST_CATEGORIES]
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encoder = make_column_transformer(
        (numbers, [name for name in rows if name not in labels]),
        (few, [name for name in labels if name not in large]),
        (make_pipeline(many, StandardScaler()), large),
        sparse_threshold=0,
    )
    errors = []
    for split in range(SPLITS):
        train, test, known, true = train_test_split(
            rows, target, test_size=0.25, random_state=split
        )
        fitted = make_pipeline(encoder, model).fit(train, known)
        errors.append(root_mean_squared_error(true, fitted.predict(test)))
    return fmean(errors)


def main() -> None:
    """Print for each table and model the error with means over that without."""
    ratios: dict[str, list[float]] = {name: [] for name in MODELS}
    means = TargetEncoder(target_type="continuous", cv=KFold(5, shuffle=True, random_state=0))
    for (package, item), (name, dropped) in TABLES.items():
        with TemporaryDirectory() as folder:
            path = Path(folder) / "all.csv"
            read_dataset(package, item, path)
            rows = pd.read_csv(path).drop(columns=["rownames", *dropped], errors="ignore")
        rows = rows[rows[name].notna()]
        rows = rows.sample(min(len(rows), MOST_ROWS), random_state=0)
        target = rows.pop(name)
        labels = rows.select_dtypes(exclude="number").columns
        rows[labels] = rows[labels].astype("str").fillna("")
        for kind, (plain, model) in MODELS.items():
            ratio = error(rows, target, plain, means, model) / error(
                rows, target, plain, plain, model
            )
            ratios[kind].append(ratio)
            print(f"{item}: {kind} with means has {ratio:.3f} of the error", flush=True)
    for kind, found in ratios.items():
        print(f"{kind}: {geometric_mean(found):.3f}")


if __name__ == "__main__":
    main()
