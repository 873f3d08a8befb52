"""The candidates for predicting a class: estimators, and the settings that a search may try."""

from mlsteps.modeling import Candidate
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from ...preparation.encoder import one_hot, ordinal

# A line more is a candidate more, once [models] candidates in project.toml names it.
CANDIDATES = {
    "logistic": Candidate(
        LogisticRegression(max_iter=1000),
        {"C": [0.001, 0.01, 0.1, 10.0, 100.0]},
        encoder=one_hot,
    ),
    "tree": Candidate(
        DecisionTreeClassifier(min_samples_leaf=20),
        {"max_depth": [3, 5, 8, None], "min_samples_leaf": [5, 10, 20, 50]},
        encoder=ordinal,
    ),
    "forest": Candidate(
        # Bounded trees bound the file and the memory, however many rows there are.
        RandomForestClassifier(max_leaf_nodes=2000, min_samples_leaf=2, n_jobs=-1),
        {"max_features": ["sqrt", 0.3, 0.7], "min_samples_leaf": [1, 2, 5, 10]},
        encoder=ordinal,
    ),
    "extra_trees": Candidate(
        ExtraTreesClassifier(max_leaf_nodes=2000, min_samples_leaf=2, n_jobs=-1),
        {"max_features": ["sqrt", 0.5, 1.0], "min_samples_leaf": [1, 2, 5, 10]},
        encoder=ordinal,
    ),
    "boosting": Candidate(
        # Without early stopping: the tenth of the rows that it holds back is missed more than the
        # best number of rounds, which the search finds as well.
        HistGradientBoostingClassifier(
            learning_rate=0.1,
            max_iter=100,
            max_leaf_nodes=7,
            max_features=0.5,
            l2_regularization=1.0,
            early_stopping=False,
        ),
        {
            "max_iter": [100, 200, 400],
            "learning_rate": [0.03, 0.05, 0.1],
            "max_leaf_nodes": [4, 7, 15, 31],
            "min_samples_leaf": [5, 10, 20, 50],
            "max_features": [0.2, 0.5, 1.0],
            "l2_regularization": [0.0, 1.0, 10.0],
        },
        encoder=ordinal,
    ),
    "svm": Candidate(
        SVC(),
        {"C": [0.1, 0.3, 3.0, 10.0, 30.0], "gamma": ["scale", 0.01, 0.03, 0.1]},
        encoder=one_hot,
        most_rows=20_000,
    ),
    "knn": Candidate(
        KNeighborsClassifier(n_neighbors=15),
        {"n_neighbors": [5, 15, 31, 61], "weights": ["uniform", "distance"]},
        encoder=one_hot,
        most_rows=50_000,
    ),
    "mlp": Candidate(
        MLPClassifier(hidden_layer_sizes=(32,), early_stopping=True, max_iter=200),
        {"hidden_layer_sizes": [(16,), (32,), (64, 32)], "alpha": [1e-4, 1e-2, 1.0]},
        encoder=one_hot,
        most_rows=200_000,
    ),
}
