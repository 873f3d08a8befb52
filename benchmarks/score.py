"""Scoring files of any size: `predict` on 3,000,000 rows against 300,000, CSV and Parquet.

A project of the sample kind learns from 100,000 rows with a boosting champion; the rows to score
are of the same kind. Memory should not grow with the file: the peak for ten times the rows is held
against the peak for the fewer ones.
"""

from pathlib import Path

from common import (
    COMMAND,
    HERE,
    UNHURRIED,
    Done,
    define,
    generate,
    install,
    program,
    run,
    workplace,
)

GOAL = 1.1
TRAINING = 100_000
ROWS = (300_000, 3_000_000)
TO_PARQUET = """
import sys
from pyarrow import csv, parquet
with csv.open_csv(sys.argv[1]) as rows, parquet.ParquetWriter(sys.argv[2], rows.schema) as file:
    for batch in rows:
        file.write_batch(batch)
"""


def main() -> None:
    """Print rows a second and memory for each number of rows, and how the memory grows."""
    with workplace() as folder:
        project, _ = generate(folder, "classification")
        install(project)
        train(project, folder / "train.csv")
        tables = [make(project, folder / f"{rows}.csv", rows) for rows in ROWS]
        for suffix in (".csv", ".parquet"):
            few, many = (
                score(project, table.with_suffix(suffix), rows)
                for table, rows in zip(tables, ROWS, strict=True)
            )
            ratio = many.megabytes / few.megabytes
            print(f"{suffix}: memory {ratio:.2f} times for {ROWS[1] / ROWS[0]:g} times the rows")


def train(project: Path, data: Path) -> None:
    """Give a project a champion."""
    make(project, data, TRAINING)
    define(project, data, "target", candidates=["boosting"], **UNHURRIED)
    run([program(project, COMMAND), "run"], project)


def make(project: Path, path: Path, rows: int) -> Path:
    """Write rows as CSV and as Parquet; return the path of the CSV."""
    python = program(project, "python")
    run([python, str(HERE / "frame.py"), "classification", str(rows), str(path)], project)
    run([python, "-c", TO_PARQUET, str(path), str(path.with_suffix(".parquet"))], project)
    return path


def score(project: Path, path: Path, rows: int) -> Done:
    """Score a file into another of its kind."""
    out = path.with_stem(f"{path.stem}-scored")
    done = run([program(project, COMMAND), "predict", str(path), str(out)], project)
    print(
        f"{path.suffix}, {rows:>9,} rows of {path.stat().st_size / 1e6:,.0f} MB: "
        f"{done.seconds:.1f} s, {rows / done.seconds:,.0f} rows/s, {done.megabytes:,.0f} MB at most"
    )
    out.unlink()
    return done


if __name__ == "__main__":
    main()
