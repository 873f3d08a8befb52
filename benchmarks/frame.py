"""Write made-up rows as a CSV: `python frame.py classification 100000 rows.csv`.

With a number of files they are written into a folder, with 60 more numbers that say nothing:
`python frame.py classification 6000000 rows 40`.

20 numbers and 4 categories. A quarter of the numbers have missing values, the numbers go together
in groups, and the target depends on some columns alone, on some in pairs, and on chance. Runs with
the libraries of a generated project.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

NUMBERS = 20
NOISE = 60
LABELS = (3, 6, 12, 30)  # of each category; the first ones are the most frequent
MISSING = 0.05  # of every fourth number and of the last category
TARGET = "target"


def make_table(problem: str, rows: int, seed: int = 0) -> pa.Table:
    """Return a table with the columns ``n0`` to ``n19``, ``c0`` to ``c3`` and ``target``."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(5, NUMBERS))
    hidden = random.normal(size=(rows, 5))
    numbers = (hidden @ mixing + random.normal(size=(rows, NUMBERS))).T
    codes = [np.minimum(random.exponential(n / 4, rows).astype(int), n - 1) for n in LABELS]

    score = 0.4 * numbers[0] - 0.3 * numbers[5] + 0.5 * np.sin(numbers[1]) * numbers[2]
    score += np.abs(numbers[3]) + random.normal(size=LABELS[1])[codes[1]]
    score += random.normal(size=LABELS[3])[codes[3]] * (codes[0] == 1)
    score += random.normal(size=rows)
    score -= np.median(score)

    columns: dict[str, pa.Array] = {}
    for k, values in enumerate(numbers):
        gaps = random.random(rows) < MISSING if k % 4 == 0 else None
        columns[f"n{k}"] = pa.array(np.round(10 ** (k % 4) * values, 4), mask=gaps)
    for k, places in enumerate(codes):
        gaps = random.random(rows) < MISSING if k == len(codes) - 1 else None
        labels = np.array([f"label {n}" for n in range(LABELS[k])])
        columns[f"c{k}"] = pa.array(labels[places], mask=gaps)
    columns[TARGET] = pa.array(
        np.where(score > 0, "yes", "no") if problem == "classification" else np.round(score, 4)
    )
    return pa.table(columns)


def write_folder(problem: str, rows: int, folder: Path, files: int) -> None:
    """Write a table into files, with more columns."""
    folder.mkdir()
    table, random = make_table(problem, rows), np.random.default_rng(1)
    for k in range(files):
        part = table.slice(k * rows // files, (k + 1) * rows // files - k * rows // files)
        for n in range(NOISE):
            part = part.append_column(f"m{n}", pa.array(random.normal(size=len(part))))
        csv.write_csv(part, folder / f"part-{k:02d}.csv")


if __name__ == "__main__":
    kind, size, path, *number = sys.argv[1:]
    if number:
        write_folder(kind, int(size), Path(path), int(number[0]))
    else:
        csv.write_csv(make_table(kind, int(size)), path)
