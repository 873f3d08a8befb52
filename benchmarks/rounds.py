"""Boosting whose rounds are searched, against boosting that stops early: `rounds.py`.

On tables that are not among those of quality.py, so many settings are drawn from each space, the
best is chosen by cross-validation, and its error is that on a quarter of the rows; the mean of some
splits. With early stopping a tenth of the training rows is held back to find the rounds.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, geometric_mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from common import read_dataset
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.preprocessing import OrdinalEncoder

SETTINGS, FOLDS, SPLITS, MOST_ROWS = 10, 3, 2, 6000
TABLES = {
    ("modeldata", "concrete"): "compressive_strength",
    ("modeldata", "ames"): "Sale_Price",
    ("modeldata", "deliveries"): "time_to_delivery",
    ("ggplot2", "diamonds"): "price",
    ("ISLR", "OJ"): "Purchase",
    ("ISLR", "Caravan"): "Purchase",
    ("modeldata", "credit_data"): "Status",
    ("carData", "WVS"): "poverty",
}
COMMON: dict[str, list[Any]] = {
    "min_samples_leaf": [5, 10, 20, 50],
    "max_features": [0.2, 0.5, 1.0],
    "l2_regularization": [0.0, 1.0, 10.0],
}
EARLY: dict[str, list[Any]] = COMMON | {
    "early_stopping": [True],
    "max_iter": [1000],
    "n_iter_no_change": [20],
    "learning_rate": [0.02, 0.03, 0.05, 0.1],
    "max_leaf_nodes": [4, 7, 15, 31, 63],
}
SEARCHED: dict[str, list[Any]] = COMMON | {
    "early_stopping": [False],
    "learning_rate": [0.03, 0.05, 0.1],
    "max_leaf_nodes": [4, 7, 15, 31],
}
ROUNDS = {"regression": [200, 400, 800], "classification": [100, 200, 400]}


@dataclass(frozen=True)
class Task:
    """A table as numbers, and how its errors are called in scikit-learn."""

    features: np.ndarray
    target: np.ndarray
    problem: str
    scoring: str

    def error(self, space: dict[str, list[Any]], split: int) -> float:
        """Return the error on other rows of the best of some settings."""
        regression = self.problem == "regression"
        kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        stratify = None if regression else self.target
        train, test, known, true = train_test_split(
            self.features, self.target, test_size=0.25, random_state=split, stratify=stratify
        )
        model = kind(random_state=split)
        search = RandomizedSearchCV(
            model, space, n_iter=SETTINGS, cv=FOLDS, scoring=self.scoring, random_state=split
        )
        score = float(search.fit(train, known).score(test, true))
        return 1 - score if self.scoring == "roc_auc" else -score


def read(package: str, item: str, target: str, folder: Path) -> Task:
    """Return a table, with codes in the place of labels."""
    read_dataset(package, item, folder / "all.csv")
    rows = pd.read_csv(folder / "all.csv").drop(columns="rownames", errors="ignore")
    rows = rows[rows[target].notna()]
    rows = rows.sample(min(len(rows), MOST_ROWS), random_state=0)
    features, known = rows.drop(columns=target), rows[target]
    labels = features.select_dtypes(exclude="number")
    features[labels.columns] = OrdinalEncoder().fit_transform(labels.astype("str"))
    if pd.api.types.is_numeric_dtype(known):
        scoring = "neg_root_mean_squared_error"
        return Task(features.to_numpy(float), known.to_numpy(float), "regression", scoring)
    scoring = "roc_auc" if known.nunique() == len(("one", "other")) else "neg_log_loss"
    codes = pd.factorize(known, sort=True)[0]
    return Task(features.to_numpy(float), codes, "classification", scoring)


def main() -> None:
    """Print the errors of both on each table, and how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], help="names of tables")
    chosen, ratios = parser.parse_args().only, dict[str, list[float]]()
    for (package, item), target in TABLES.items():
        if chosen and item not in chosen:
            continue
        with TemporaryDirectory() as folder:
            task = read(package, item, target, Path(folder))
        spaces = [EARLY, SEARCHED | {"max_iter": ROUNDS[task.problem]}]
        early, searched = (
            fmean(task.error(space, split) for split in range(SPLITS)) for space in spaces
        )
        ratios.setdefault(task.problem, []).append(searched / early)
        print(f"{item}: {early:.5g} early, {searched:.5g} searched, {searched / early:.3f} of it")
    for problem, found in ratios.items():
        print(f"{problem}: {geometric_mean(found):.3f}")


if __name__ == "__main__":
    main()
