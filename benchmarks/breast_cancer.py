"""How good the model is without a thought: breast cancer (Wisconsin, 1995), ROC AUC against 0.99.

The whole way of a user with a CSV: cookiecutter, `define --data … --target …`, `run`. Nothing is
edited. The data comes with scikit-learn: 569 rows, 30 numbers, benign or malignant.
"""

import json

from common import COMMAND, define, generate, install, program, run, workplace

GOAL = 0.99
WRITE = """
import sys
from sklearn.datasets import load_breast_cancer
data = load_breast_cancer(as_frame=True)
names = dict(enumerate(data.target_names))
data.data.assign(diagnosis=data.target.map(names)).to_csv(sys.argv[1], index=False)
"""


def main() -> None:
    """Print the ROC AUC of the test set with its interval, and the cross-validated one."""
    with workplace() as folder:
        project, _ = generate(folder, "classification")
        install(project)
        data = folder / "breast_cancer.csv"
        run([program(project, "python"), "-c", WRITE, str(data)], project)
        define(project, data, "diagnosis")
        run([program(project, COMMAND), "run"], project)
        found = json.loads((project / "reports" / "metrics.json").read_text(encoding="utf-8"))
    test, best = found["test"]["roc_auc"], found["leaderboard"][0]
    print(
        f"{found['model']}: ROC AUC {test['value']:.4f} on the test set (95 %: {test['low']:.4f} "
        f"to {test['high']:.4f}), ratio {test['value'] / GOAL:.4f} to {GOAL}; "
        f"{best['cv_mean']:.4f} ± {best['cv_std']:.4f} in cross-validation"
    )


if __name__ == "__main__":
    main()
