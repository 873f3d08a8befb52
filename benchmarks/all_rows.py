"""What the other rows add to a sample of a tenth: ROC AUC of several ways to learn from them.

Boosting on the sample; the mean of boosting on each tenth, which is what `[split] all_rows` makes;
the same boosting on all rows in memory; LightGBM by its Dask interface; a linear model part by
part. Needs the environment of the template: `uv run benchmarks/all_rows.py`.
"""

import time
import warnings

import lightgbm
import numpy as np
import pandas as pd
from dask import dataframe
from distributed import Client, LocalCluster
from frame import TARGET, make_table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

ROWS, PARTS, TEST = 1_000_000, 10, 100_000


def main() -> None:
    """Print the ROC AUC of each way."""
    table = make_table("classification", ROWS + TEST).to_pandas()
    target = (table.pop(TARGET) == "yes").to_numpy()
    labels = table.select_dtypes("str").columns
    codes = {name: table[name].astype("category").cat.codes for name in labels}
    rows = table.assign(**codes).astype("float32")
    train, test = rows[:ROWS], rows[ROWS:]
    known, true = target[:ROWS], target[ROWS:]
    parts = [slice(start, start + ROWS // PARTS) for start in range(0, ROWS, ROWS // PARTS)]

    def show(name: str, scores: np.ndarray) -> None:
        print(f"{name}: ROC AUC {roc_auc_score(true, scores):.4f}", flush=True)

    each = [boosting().fit(train[part], known[part]) for part in parts]
    scores = [model.predict_proba(test)[:, 1] for model in each]
    show("the sample, a tenth", scores[0])
    show("the mean of ten tenths", np.mean(scores, axis=0))
    show("all rows in memory", boosting().fit(train, known).predict_proba(test)[:, 1])
    scaler = StandardScaler().fit(train[parts[0]])
    linear = SGDClassifier(loss="log_loss", random_state=0)
    for part in parts:
        numbers = np.nan_to_num(scaler.transform(train[part]))
        linear.partial_fit(numbers, known[part], classes=[False, True])
    show("a linear model", linear.decision_function(np.nan_to_num(scaler.transform(test))))
    show("LightGBM on Dask", by_lightgbm(train, known, test))


def boosting() -> HistGradientBoostingClassifier:
    """Return the candidate that a project has."""
    return HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=150,
        max_leaf_nodes=15,
        max_features=0.5,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )


def by_lightgbm(train: pd.DataFrame, known: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    """Fit LightGBM on two workers, with as many trees of the same size; return its scores."""
    local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with warnings.catch_warnings(), local as cluster, Client(cluster) as client:
        warnings.simplefilter("ignore")
        began = time.monotonic()
        model = lightgbm.DaskLGBMClassifier(
            client=client, n_estimators=150, num_leaves=15, learning_rate=0.1, verbose=-1
        )
        all_rows = train.assign(known=known)
        frames = dataframe.from_pandas(all_rows, npartitions=PARTS)  # type: ignore[no-untyped-call]
        model.fit(frames.drop(columns="known"), frames["known"])
        print(f"LightGBM on Dask took {time.monotonic() - began:.0f} s", flush=True)
        return np.asarray(model.to_local().predict_proba(test))[:, 1]


if __name__ == "__main__":
    main()
