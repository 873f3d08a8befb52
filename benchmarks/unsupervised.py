"""How good models without labels are: strange rows against PyOD, clusters against the usual rules.

`detectors.py`, and `clusterings.py` where it is there, say what is compared and which data judge.
"""

from importlib import import_module
from importlib.util import find_spec

PARTS = {"detectors": "Anomalies: mean ROC AUC", "clusterings": "Clusters: adjusted Rand index"}


def main() -> None:
    """Print a table for anomalies, and one for clusters."""
    for module, title in PARTS.items():
        if find_spec(module):
            found = import_module(module).table()
            print(f"\n{title}\n{found.to_string(float_format='%.3f')}", flush=True)


if __name__ == "__main__":
    main()
