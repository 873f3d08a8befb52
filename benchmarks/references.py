"""How good clusters and anomalies are: wine and digits, ARI; WDBC, ROC AUC.

All rows are learnt from, and labels only judge, as in the figures that are to be reached. Wine (178
rows) and digits (1,797 images of 64 pixels) come with scikit-learn. The number of digits is
given, that of wines is searched for. WDBC is the sample of a new project for anomaly detection, 357
benign rows and ten malignant ones, with nothing edited: each row is judged by a model that has not
seen it.
"""

from typing import Any

from common import define, generate, install, program, results, run, workplace

WRITE = """
import sys
from sklearn import datasets
data = getattr(datasets, sys.argv[1])(as_frame=True)
data.data.assign(label=data.target.map(lambda k: f"label {k}")).to_csv(sys.argv[2], index=False)
"""
CLUSTERS = {
    "wine": ("load_wine", 0.89, {}),
    "digits": ("load_digits", 0.46, {"clusters": [10, 10], "scaling": "'none'"}),
}
ANOMALIES = 0.98


def main() -> None:
    """Print each figure with its interval, and its ratio to what is to be reached."""
    with workplace() as folder:
        project, _ = generate(folder, "clustering")
        install(project)
        for name, (function, goal, settings) in CLUSTERS.items():
            data = folder / f"{name}.csv"
            run([program(project, "python"), "-c", WRITE, function, str(data)], project)
            define(project, data, "label", **settings)
            tell(name, results(project), "ari", goal)
        project, _ = generate(folder, "anomaly_detection")
        install(project)
        tell("WDBC", results(project), "roc_auc", ANOMALIES)


def tell(name: str, found: dict[str, Any], metric: str, goal: float) -> None:
    """Print a line about one data set."""
    mine = found["test"][metric]
    chosen = found["leaderboard"][0]["settings"] or "its defaults"
    print(
        f"{name}: {found['model']} with {chosen}: {metric} {mine['value']:.3f} (95 %: "
        f"{mine['low']:.3f} to {mine['high']:.3f}), ratio {mine['value'] / goal:.3f} to {goal}",
        flush=True,
    )


if __name__ == "__main__":
    main()
