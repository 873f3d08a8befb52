"""How good models without labels are: anomalies against PyOD, clusters against the usual rules.

`detectors.py` and `clusterings.py` say what is compared, and which data judge.
"""

import importlib


def main() -> None:
    """Print a table for anomalies, and one for clusters."""
    for title, module in (
        ("Anomalies: mean ROC AUC", "detectors"),
        ("Clusters: adjusted Rand index", "clusterings"),
    ):
        found = importlib.import_module(module).table()
        print(f"\n{title}\n{found.to_string(float_format='%.3f')}", flush=True)


if __name__ == "__main__":
    main()
