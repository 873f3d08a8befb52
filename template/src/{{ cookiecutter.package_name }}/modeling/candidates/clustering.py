"""The candidates for grouping rows: clusterers, and the settings that a search may try.

Each is tried with every number of clusters that [problem] clusters allows.
"""

from mlsteps.modeling import Candidate, Clusterer
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, Birch, KMeans, MiniBatchKMeans
from sklearn.mixture import GaussianMixture

from ...preparation.encoder import one_hot

# A line more is a candidate more, once [models] candidates in project.toml names it.
CANDIDATES = {
    "kmeans": Candidate(Clusterer(KMeans(n_init=10)), encoder=one_hot),
    "minibatch": Candidate(Clusterer(MiniBatchKMeans(n_init=10)), encoder=one_hot),
    "mixture": Candidate(
        # The constant keeps a component from shrinking to a point.
        Clusterer(GaussianMixture(reg_covar=1e-3, n_init=3)),
        {"method__covariance_type": ["full", "tied", "diag", "spherical"]},
        encoder=one_hot,
        most_rows=200_000,
    ),
    "birch": Candidate(
        Clusterer(Birch()),
        {"method__threshold": [0.25, 0.5, 1.0]},
        encoder=one_hot,
        most_rows=50_000,
    ),
    "hierarchical": Candidate(
        Clusterer(AgglomerativeClustering()),
        {"method__linkage": ["average"]},
        encoder=one_hot,
        most_rows=10_000,
    ),
    "hdbscan": Candidate(
        Clusterer(HDBSCAN(min_cluster_size=10, copy=True), n_clusters=None),
        {"method__min_cluster_size": [5, 10, 20, 40]},
        encoder=one_hot,
        most_rows=20_000,
    ),
}
