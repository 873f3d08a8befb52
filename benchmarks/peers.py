"""The other sides of quality.py: `python peers.py NAME PROBLEM TARGET SECONDS FOLDER`.

Each is used as its own first page shows. FOLDER holds train.csv and test.csv; predictions.csv gets
the predicted number of each test row, or the probability of each class. Runs in an environment of
the peer's own.
"""

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

CORES = 2


@dataclass
class Task:
    """What is to be predicted, and how long it may take to learn it."""

    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    problem: str
    seconds: int

    @property
    def regression(self) -> bool:
        """Whether the target is a number."""
        return self.problem == "regression"

    @property
    def metric(self) -> str:
        """The metric that quality.py compares."""
        two = self.train[self.target].nunique() == len(("one", "other"))
        return "rmse" if self.regression else "roc_auc" if two else "log_loss"

    @property
    def features(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Those of the training rows, and of the others."""
        return self.train.drop(columns=self.target), self.test.drop(columns=self.target)

    def categories(self, most: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the features with texts as categories; the rarest beyond `most` are missing."""
        train, test = (part.copy() for part in self.features)
        for name in train.select_dtypes(exclude=["number", "bool"]):
            known = train[name].value_counts().index[:most]
            for part in (train, test):
                part[name] = pd.Categorical(part[name], categories=known)
        return train, test


def autogluon(task: Task, presets: str) -> pd.DataFrame:
    """Return what AutoGluon's TabularPredictor predicts."""
    kind = import_module("autogluon.tabular").TabularPredictor
    with TemporaryDirectory() as folder:
        model = kind(task.target, eval_metric=task.metric, path=folder, verbosity=0)
        model.fit(task.train, time_limit=task.seconds, presets=presets, num_cpus=CORES)
        if task.regression:
            return pd.DataFrame({"prediction": model.predict(task.test)})
        return pd.DataFrame(model.predict_proba(task.test))


def flaml(task: Task) -> pd.DataFrame:
    """Return what FLAML's AutoML predicts."""
    model, (train, test) = import_module("flaml").AutoML(), task.features
    settings = {"task": task.problem, "metric": task.metric, "time_budget": task.seconds}
    model.fit(train, task.train[task.target], n_jobs=CORES, verbose=0, **settings)
    return predicted(model, test, task)


def lightgbm(task: Task) -> pd.DataFrame:
    """Return what LightGBM predicts with its defaults and its categories."""
    kind = "LGBMRegressor" if task.regression else "LGBMClassifier"
    model, (train, test) = getattr(import_module("lightgbm"), kind), task.categories()
    fitted = model(n_jobs=CORES, verbose=-1).fit(train, task.train[task.target])
    return predicted(fitted, test, task)


def histogram(task: Task) -> pd.DataFrame:
    """Return what scikit-learn's histogram boosting predicts with its defaults and categories."""
    kind = f"HistGradientBoosting{'Regressor' if task.regression else 'Classifier'}"
    model, (train, test) = getattr(import_module("sklearn.ensemble"), kind), task.categories(250)
    return predicted(model().fit(train, task.train[task.target]), test, task)


def predicted(model: Any, test: pd.DataFrame, task: Task) -> pd.DataFrame:  # noqa: ANN401
    """Return what a fitted model predicts of the test rows."""
    if task.regression:
        return pd.DataFrame({"prediction": model.predict(test)})
    classes = np.unique(task.train[task.target])
    return pd.DataFrame(model.predict_proba(test), columns=classes)


def main(name: str, problem: str, target: str, seconds: str, place: str) -> None:
    """Train a peer, and write what it predicts."""
    folder = Path(place)
    train, test = (pd.read_csv(folder / f"{part}.csv") for part in ("train", "test"))
    if problem == "classification":
        train[target] = train[target].astype(str)
    task = Task(train, test, target, problem, int(seconds))
    if name.startswith("autogluon"):
        found = autogluon(task, f"{name.removeprefix('autogluon_')}_quality")
    else:
        found = {"flaml": flaml, "lightgbm": lightgbm, "histogram": histogram}[name](task)
    found.to_csv(folder / "predictions.csv", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
