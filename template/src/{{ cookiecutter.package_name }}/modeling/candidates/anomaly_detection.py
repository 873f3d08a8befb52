"""The candidates for finding anomalies: detectors, and the settings that a search may try."""

from mlsteps.modeling import Candidate, Detector, MeanOfRanks, Neighbours
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from ...preparation.encoder import one_hot

# A line more is a candidate more, once [models] candidates in project.toml names it. Labels choose,
# where both kinds are known; without them the first that is named there is taken.
CANDIDATES = {
    "mean_of_ranks": Candidate(
        Detector(
            MeanOfRanks([Neighbours([5, 10, 20, 50, 100]), IsolationForest(n_estimators=200)])
        ),
        encoder=one_hot,
    ),
    "isolation_forest": Candidate(
        Detector(IsolationForest(n_estimators=200)),
        {"method__max_samples": [0.25, 0.5, 1.0], "method__max_features": [0.5, 1.0]},
        encoder=one_hot,
    ),
    "lof": Candidate(
        Detector(LocalOutlierFactor(n_neighbors=50, novelty=True)),
        {"method__n_neighbors": [10, 20, 35, 100]},
        encoder=one_hot,
        most_rows=50_000,
    ),
    "svm": Candidate(
        Detector(OneClassSVM(nu=0.1)),
        {"method__nu": [0.05, 0.1, 0.3], "method__gamma": ["scale", 0.001, 0.01, 0.1]},
        encoder=one_hot,
        most_rows=20_000,
    ),
    "covariance": Candidate(
        Detector(EllipticEnvelope()),
        {"method__support_fraction": [0.7, 0.9]},
        encoder=one_hot,
        most_rows=100_000,
    ),
}
