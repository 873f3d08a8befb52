"""The candidates for predicting a number: estimators, and the settings that a search may try."""

from typing import Any

import numpy as np
from mlsteps.modeling import Candidate
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import Lasso, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from ...preparation.encoder import one_hot, ordinal


def _scaled(estimator: BaseEstimator) -> TransformedTargetRegressor:
    """Fit `estimator` to the target scaled to mean 0 and deviation 1, as it expects."""
    return TransformedTargetRegressor(estimator, transformer=StandardScaler())


def _log(estimator: BaseEstimator) -> TransformedTargetRegressor:
    """Fit `estimator` to the logarithm of the target, of prices say (arcsinh: of any number)."""
    return TransformedTargetRegressor(estimator, func=np.arcsinh, inverse_func=np.sinh)


# Without early stopping: the tenth of the rows that it holds back is missed more than the best
# number of rounds, which the search finds as well.
BOOSTING = HistGradientBoostingRegressor(
    learning_rate=0.1,
    max_iter=150,
    max_leaf_nodes=15,
    max_features=0.5,
    l2_regularization=1.0,
    early_stopping=False,
)
BOOSTING_SPACE: dict[str, list[Any]] = {
    "max_iter": [200, 400, 800],
    "learning_rate": [0.03, 0.05, 0.1],
    "max_leaf_nodes": [4, 7, 15, 31],
    "min_samples_leaf": [5, 10, 20, 50],
    "max_features": [0.2, 0.5, 1.0],
    "l2_regularization": [0.0, 1.0, 10.0],
}

# A line more is a candidate more, once [models] candidates in project.toml names it.
CANDIDATES = {
    "ridge": Candidate(
        Ridge(),
        {"alpha": [0.1, 1.0, 10.0, 100.0]},
        encoder=one_hot,
    ),
    "ridge_log": Candidate(
        _log(Ridge()),
        {"regressor__alpha": [0.1, 10.0, 100.0]},
        encoder=one_hot,
    ),
    "lasso": Candidate(
        _scaled(Lasso(alpha=0.001)),
        {"regressor__alpha": [0.0001, 0.001, 0.01, 0.1]},
        encoder=one_hot,
    ),
    "tree": Candidate(
        DecisionTreeRegressor(min_samples_leaf=10),
        {"max_depth": [3, 5, 8, None], "min_samples_leaf": [5, 10, 20, 50]},
        encoder=ordinal,
    ),
    "forest": Candidate(
        # Bounded trees bound the file and the memory, however many rows there are.
        RandomForestRegressor(max_leaf_nodes=2000, max_features=0.5, n_jobs=-1),
        {"max_features": ["sqrt", 0.3, 0.7, 1.0], "min_samples_leaf": [1, 2, 5, 10]},
        encoder=ordinal,
    ),
    "extra_trees": Candidate(
        ExtraTreesRegressor(max_leaf_nodes=2000, max_features=0.5, n_jobs=-1),
        {"max_features": ["sqrt", 0.3, 0.8, 1.0], "min_samples_leaf": [1, 2, 5, 10]},
        encoder=ordinal,
    ),
    "boosting": Candidate(BOOSTING, BOOSTING_SPACE, encoder=ordinal),
    "boosting_log": Candidate(
        _log(BOOSTING),
        {f"regressor__{name}": values for name, values in BOOSTING_SPACE.items()},
        encoder=ordinal,
    ),
    "svm": Candidate(
        _scaled(SVR()),
        {
            "regressor__C": [0.1, 0.3, 3.0, 10.0, 30.0],
            "regressor__gamma": ["scale", 0.01, 0.03, 0.1],
        },
        encoder=one_hot,
        most_rows=20_000,
    ),
    "knn": Candidate(
        KNeighborsRegressor(n_neighbors=10),
        {"n_neighbors": [5, 10, 20, 40], "weights": ["uniform", "distance"]},
        encoder=one_hot,
        most_rows=50_000,
    ),
    "mlp": Candidate(
        _scaled(MLPRegressor(hidden_layer_sizes=(64,), early_stopping=True, max_iter=200)),
        {
            "regressor__hidden_layer_sizes": [(32,), (64,), (64, 32)],
            "regressor__alpha": [1e-4, 1e-2, 1.0],
        },
        encoder=one_hot,
        most_rows=200_000,
    ),
}
