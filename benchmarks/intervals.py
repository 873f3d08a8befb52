"""How long the intervals of a large test set take, on one core and on all: `intervals.py`.

Two classes, ten classes and a quantity, of made-up predictions: every standard metric, measured as
`evaluate` measures it. The wall time of one core is taken in a process that may use only one.
"""

import argparse
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
from common import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "template" / "vendor"))

from mlsteps.evaluation.bootstrap import measure
from mlsteps.problem.metric import all_metrics

ROWS = 125_000
CASES = {"two classes": 2, "ten classes": 10, "quantity": 0}


def main() -> None:
    """Print the seconds of each case with one core and with all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--case", choices=CASES, help="only this, only its seconds")
    arguments = parser.parse_args()
    if arguments.case:
        print(seconds(CASES[arguments.case], arguments.rows))
        return
    cores = len(os.sched_getaffinity(0))
    for case in CASES:
        one, every = (timed(case, arguments.rows, number) for number in (1, cores))
        print(f"{case}: {one:.1f} s on one core, {every:.1f} s on {cores}", flush=True)


def timed(case: str, rows: int, cores: int) -> float:
    """Return the seconds of a case in a process of its own, with so many cores."""
    allowed = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
    command = ["taskset", "--cpu-list", allowed, sys.executable, __file__]
    done = subprocess.run(
        [*command, "--case", case, "--rows", str(rows)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def seconds(classes: int, rows: int) -> float:
    """Measure made-up predictions of so many classes, or of a quantity, and return how long."""
    generator = np.random.default_rng(0)
    if classes:
        found = generator.dirichlet(np.ones(classes), size=rows)
        predictions = pd.DataFrame(found).add_prefix("probability_")
        predictions.insert(0, "prediction", found.argmax(axis=1).astype(str))
        target = pd.Series(generator.integers(classes, size=rows).astype(str))
    else:
        target = pd.Series(generator.normal(size=rows))
        guess = target + generator.normal(size=rows)
        predictions = pd.DataFrame({"prediction": guess, "low": guess - 1, "high": guess + 1})
    metrics = all_metrics("classification" if classes else "regression", {})
    began = time.perf_counter()
    measure(target, predictions, metrics, seed=0)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
