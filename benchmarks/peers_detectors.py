"""The other side of detectors.py: `peers_detectors.py FOLDER`, in an environment with PyOD.

Detectors have PyOD's defaults, but for what is said below; its ensemble is the mean, and the
maximum, of their standardised scores, as its example `comb_example.py` combines them. Each is given
columns that are standardised, and columns as they are.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NAMES = {"isolation forest": "iforest.IForest", "LOF": "lof.LOF", "k-NN": "knn.KNN"}
NAMES["PCA"] = "pca.PCA"
# Columns that depend on others leave components without variance, by which PyOD divides.
SETTINGS: dict[str, dict[str, Any]] = {
    "isolation forest": {"random_state": 0},
    "PCA": {"n_components": 0.999},
}


def main() -> None:
    """Write the scores of the rows of each task, each by a model that was fitted to others."""
    for path in sorted(Path(sys.argv[1]).glob("*.parquet")):
        rows = pd.read_parquet(path)
        numbers = rows.drop(columns=["fold", "anomaly"]).to_numpy()
        folds = rows["fold"].to_numpy()
        for scaled in (True, False):
            found: dict[str, np.ndarray] = {}
            for k in np.unique(folds):
                varied = numbers[folds != k].std(axis=0) > 0
                train, test = numbers[folds != k][:, varied], numbers[folds == k][:, varied]
                if scaled:
                    middle, deviation = train.mean(axis=0), train.std(axis=0)
                    train, test = ((part - middle) / deviation for part in (train, test))
                for name, scores in fit(train, test).items():
                    found.setdefault(name, np.empty(len(rows)))[folds == k] = scores
            for name, scores in found.items():
                np.save(path.with_suffix(f".PyOD {name}{'' if scaled else ', raw'}.npy"), scores)


def fit(train: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of test rows by each detector, and by their combinations."""
    found, standardised = {}, []
    for name, place in NAMES.items():
        module, _, kind = place.partition(".")
        detector = getattr(import_module(f"pyod.models.{module}"), kind)(**SETTINGS.get(name, {}))
        detector.fit(train)
        known, scores = detector.decision_scores_, detector.decision_function(test)
        found[name] = scores
        standardised.append((scores - known.mean()) / known.std())
    found["ensemble, mean"] = np.mean(standardised, axis=0)
    found["ensemble, maximum"] = np.max(standardised, axis=0)
    return found


if __name__ == "__main__":
    main()
