"""The fits of `run` in bare scikit-learn: `python bare.py classification rows.csv tree boosting`.

Prints the mean score of each candidate over the folds as JSON. Runs with the libraries of a
generated project, and uses none of its code.
"""

import json
import sys

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

FOLDS, SEED = 3, 0
RARE = {"min_frequency": 0.01, "max_categories": 50}
BOOSTING = {
    "learning_rate": 0.1,
    "max_iter": 150,
    "max_leaf_nodes": 15,
    "max_features": 0.5,
    "l2_regularization": 1.0,
    "early_stopping": False,
}
CANDIDATES = {
    "classification": {
        "logistic": LogisticRegression(max_iter=1000),
        "tree": DecisionTreeClassifier(min_samples_leaf=20),
        "forest": RandomForestClassifier(max_leaf_nodes=2000, min_samples_leaf=2, n_jobs=-1),
        "boosting": HistGradientBoostingClassifier(**BOOSTING),
    },
    "regression": {
        "ridge": Ridge(),
        "tree": DecisionTreeRegressor(min_samples_leaf=10),
        "forest": RandomForestRegressor(max_leaf_nodes=2000, max_features=0.5, n_jobs=-1),
        "boosting": HistGradientBoostingRegressor(**BOOSTING),
    },
}


def main(problem: str, path: str, *names: str) -> None:
    """Judge the candidates, fit the best, and judge it on the test set."""
    frame = pd.read_csv(path)
    features, target = frame.drop(columns="target"), frame["target"]
    classes = problem == "classification"
    train, test, known, unknown = train_test_split(
        features, target, test_size=0.2, stratify=target if classes else None, random_state=SEED
    )
    train, known = train.sort_index(), known.sort_index()
    folds = (StratifiedKFold if classes else KFold)(FOLDS, shuffle=True, random_state=SEED)
    scores = {}
    for name in names:
        found = []
        for inside, outside in folds.split(train, known):
            model = pipeline(CANDIDATES[problem][name], train)
            model.fit(train.iloc[inside], known.iloc[inside])
            found.append(score(model, train.iloc[outside], known.iloc[outside], classes=classes))
        scores[name] = float(np.mean(found))
    best = (max if classes else min)(scores, key=scores.__getitem__)
    model = pipeline(CANDIDATES[problem][best], train).fit(train, known)
    score(model, test, unknown, classes=classes)
    print(json.dumps(scores))


def pipeline(estimator: BaseEstimator, rows: pd.DataFrame) -> Pipeline:
    """Return the encoder and the estimator."""
    numbers = list(rows.select_dtypes("number"))
    encoder = make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
            numbers,
        ),
        (
            # Codes are enough for trees.
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, **RARE)
            if not isinstance(estimator, LogisticRegression | Ridge)
            else OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False, **RARE),
            list(rows.columns.drop(numbers)),
        ),
    )
    estimator = clone(estimator)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=SEED)
    return make_pipeline(encoder, estimator)


def score(model: Pipeline, rows: pd.DataFrame, target: pd.Series, *, classes: bool) -> float:
    """Return ROC AUC, or the root of the mean squared error."""
    if classes:
        return float(roc_auc_score(target == "yes", model.predict_proba(rows)[:, 1]))
    return float(root_mean_squared_error(target, model.predict(rows)))


if __name__ == "__main__":
    main(*sys.argv[1:])
