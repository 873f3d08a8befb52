"""Write a CSV as people have them: `python awkward_data.py classification out.csv`.

Real measurements (scikit-learn's breast cancer, diabetes and wine data), and on top of them what
real files bring: an id, missing values, text among numbers, a constant, a copy; where there is a
target also a date, and a column that was filled in only once the answer was known.
"""

import sys

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine


def main(problem_type: str, path: str) -> None:
    """Write the file."""
    generator = np.random.default_rng(0)
    if problem_type == "classification":
        data = load_breast_cancer(as_frame=True)
        rows = data.data.iloc[:, :8].copy()
        rows["diagnosis"] = data.target.map({0: "malignant", 1: "benign"})
        leak = data.target.map({0: "surgery", 1: "none"})
    elif problem_type == "clustering":
        rows, leak = load_wine(as_frame=True).data, None
    elif problem_type == "anomaly_detection":
        rows, leak = load_breast_cancer(as_frame=True).data.iloc[:, :8].copy(), None
    else:
        data = load_diabetes(as_frame=True, scaled=False)
        rows = data.data.copy()
        rows["progression"] = data.target
        leak = data.target * 1.1 + 3
    number = len(rows)
    rows.insert(0, "patient", [f"P-{k:05d}" for k in generator.permutation(number)])
    if leak is not None:
        days = pd.to_datetime("2025-01-01") + pd.to_timedelta(np.arange(number) % 300, unit="D")
        rows.insert(1, "visit", days.strftime("%d/%m/%Y"))
        rows["treatment"] = leak
    rows["country"] = "FR"
    first = rows.columns[3]
    rows["copy"] = rows[first]
    rows["ward"] = generator.choice(["A", "B", "C"], number)
    rows.loc[generator.random(number) < 0.1, rows.columns[4]] = np.nan
    rows["dose"] = generator.normal(50, 10, number).round(1).astype(object)
    rows.loc[generator.random(number) < 0.03, "dose"] = "unknown"
    rows.to_csv(path, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
