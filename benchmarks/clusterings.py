"""How well groups that are known are found again: the project, and the usual rules.

The labels only judge. The project is used as `define --data` makes it, with nothing edited: it
tries 2 to 10 clusters, as the others do. Rows far from all groups have no label and are not judged;
that there is only one group is found by whoever makes one cluster, or says that there are none.
The rules of the choice were tuned on mixtures of the seeds 1000 to 1029; those of `SEEDS` are
others, one for each number of groups from 1 to 10.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import define, generate, install, read_dataset, results, workplace
from sklearn import datasets
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

SEEDS = range(2000, 2010)
MOST = 10
WIDE = 4  # dimensions, in which places that are apart are soon found
LABEL = "group"
TABLES = {  # package, item, the columns of labels, and those left out
    "iris": ("datasets", "iris", ["Species"], []),
    "crabs": ("MASS", "crabs", ["sp", "sex"], ["index"]),
    "diabetes": ("heplots", "Diabetes", ["group"], []),
    "olive": ("dslabs", "olive", ["area"], ["region"]),
    "penguins": ("palmerpenguins", "penguins", ["species"], ["year"]),
    "ruspini": ("cluster", "ruspini", [], []),
}
OWN = ("wine", "digits", "breast_cancer")  # of scikit-learn
RUSPINI = np.repeat(["a", "b", "c", "d"], [20, 23, 17, 15])  # its rows stand group by group


def table() -> pd.DataFrame:
    """Return the adjusted Rand index of each side on each set, and the means."""
    found: dict[str, dict[str, float]] = {}
    with workplace() as folder:
        project, _ = generate(folder, "clustering")
        install(project)
        for name, rows in sets(folder):
            known, numbers = rows[LABEL], encode(rows.drop(columns=LABEL))
            found[name] = {"ours": ours(project, folder / f"{name}.csv", rows)}
            for side, labels in peers(numbers):
                there = known.notna().to_numpy()
                found[name][side] = float(adjusted_rand_score(known[there], labels[there]))
            print(name, {side: round(value, 3) for side, value in found[name].items()}, flush=True)
    frame = pd.DataFrame(found).T
    made = frame.index.str.startswith("mixture")
    frame.loc["mean of the named"] = frame[~made].mean()
    frame.loc["mean of the mixtures"] = frame[: len(made)][made].mean()
    frame.loc["mean"] = frame[: len(made)].mean()
    return frame


def sets(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name of each set, and its rows with their labels."""
    for name, (package, item, labels, left_out) in TABLES.items():
        read_dataset(package, item, folder / "all.csv")
        rows = pd.read_csv(folder / "all.csv").drop(columns=["rownames", *left_out])
        known = rows[labels].agg(" ".join, axis=1) if labels else RUSPINI
        yield name, rows.drop(columns=labels).assign(**{LABEL: known})
    for name in OWN:
        data = getattr(datasets, f"load_{name}")(as_frame=True)
        yield name, data.data.assign(**{LABEL: data.target.map(lambda k: f"group {k}")})
    for seed in SEEDS:
        numbers, group = mixture(seed)
        rows = pd.DataFrame(numbers, columns=[f"x{k}" for k in range(numbers.shape[1])])
        known = [None if k < 0 else f"group {k}" for k in group]
        yield f"mixture of {seed % MOST + 1}", rows.assign(**{LABEL: known})


def mixture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of groups made at random, and the group of each; −1 for those far from all.

    Their number follows from the seed; sizes, dimensions, distances and shapes (round, long, of
    several sizes, heavy-tailed, skewed) are drawn, columns of noise and a far handful as well.
    """
    random = np.random.default_rng(seed)
    groups, size = seed % MOST + 1, int(random.choice([2, 3, 4, 6, 8, 12, 20]))
    rows = int(random.choice([150, 300, 600, 1000]))
    shares = np.maximum(random.dirichlet([5.0] * groups), 0.4 / groups)
    group = random.choice(groups, rows, p=shares / shares.sum())
    apart = random.uniform(3.5, 8)  # the least distance of two centres, in deviations
    spread, centres = apart * (0.6 if size >= WIDE else 0.9), np.zeros((0, size))
    while len(centres) < groups:
        centre, spread = random.normal(size=size) * spread, spread * 1.005
        if (np.linalg.norm(centres - centre, axis=1) >= apart).all():
            centres = np.vstack([centres, centre])
    shape, numbers = random.choice(["round", "long", "sizes", "heavy", "skewed"]), centres[group]
    for k in range(groups):
        count = int((group == k).sum())
        noise = random.normal(size=(count, size))
        if shape == "heavy":
            noise = random.standard_t(5, size=(count, size)) * 0.77
        elif shape == "skewed":
            noise = random.gamma(3, size=(count, size)) / 3**0.5 - 3**0.5
        elif shape == "long":
            turn, _ = np.linalg.qr(random.normal(size=(size, size)))
            noise = noise * random.uniform(0.3, 1.4, size) @ turn
        elif shape == "sizes":
            noise = noise * random.uniform(0.4, 1.3)
        numbers[group == k] += noise
    columns = int(random.choice([0, 0, 0, 2, 4]))
    numbers = np.hstack([numbers, random.normal(size=(rows, columns)) * numbers.std()])
    if random.random() < 1 / 3:
        few, width = int(np.ceil(rows * random.uniform(0.005, 0.025))), numbers.shape[1]
        place = random.normal(size=width)
        place *= numbers.std() * width**0.5 * random.uniform(3, 8) / np.linalg.norm(place)
        far = random.normal(size=(few, width)) * numbers.std(axis=0) * random.uniform(0.05, 0.6)
        numbers, group = np.vstack([numbers, place + far]), np.append(group, [-1] * few)
    order = random.permutation(len(numbers))
    return numbers[order] * random.uniform(0.2, 5, numbers.shape[1]), group[order]


def ours(project: Path, data: Path, rows: pd.DataFrame) -> float:
    """Return the adjusted Rand index of a project on these rows."""
    rows.to_csv(data, index=False)
    define(project, data, LABEL)
    found = results(project)
    run: dict[str, Any] = json.loads(
        (project / "models" / found["version"] / "run.json").read_text("utf-8")
    )
    if run["choice"].get("clusters") == 1:
        return float(len(set(rows[LABEL].dropna())) == 1)
    return float(found["test"]["ari"]["value"])


def encode(rows: pd.DataFrame) -> np.ndarray:
    """Return rows as numbers: scaled, and labels as columns of 0 and 1."""
    numbers = rows.select_dtypes("number")
    scaled = StandardScaler().fit_transform(numbers.fillna(numbers.median()))
    frame = rows.assign(**dict(zip(numbers, scaled.T, strict=True)))
    encoded: np.ndarray = pd.get_dummies(frame).to_numpy(float)
    return encoded


def peers(numbers: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each rule, and the labels that it gives."""
    tried = [KMeans(k, n_init=10, random_state=0).fit_predict(numbers) for k in range(2, MOST + 1)]
    yield "k-means by silhouette", max(tried, key=lambda found: silhouette_score(numbers, found))
    parts = PCA(0.9, random_state=0).fit_transform(numbers)
    mixtures = [
        GaussianMixture(k, n_init=3, reg_covar=1e-3, random_state=0).fit(parts)
        for k in range(1, MOST + 1)
    ]
    yield "mixture by BIC", min(mixtures, key=lambda fit: fit.bic(parts)).predict(parts)
    yield "HDBSCAN", HDBSCAN(min_cluster_size=10, copy=True).fit_predict(numbers)


if __name__ == "__main__":
    print(table().to_string(float_format="%.3f"))
