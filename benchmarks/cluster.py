"""What a Dask cluster gains and costs, on the two cores of one machine.

Six parts, each the time of a whole command; names choose among them. `search`: `train` on 100,000
rows; `series`: `train` on 1,000 series; `score`: `predict` of a folder of 5,000,000 rows in 40
files with a boosting champion. Each runs on one core without a cluster, on all cores without one,
and on two workers of one thread, which run already. On these the search and the series should be
1.7 times as fast as on one core. `sample`: `train` on the embedded data with and without a cluster
that is started for it: 5 s at most. `folder`: each step, with a sample and the candidate that
learns from all rows, of a folder of 10 GB that is made for it, and its scoring, on two workers of
2 GiB each. `many`: the steps of 10,000 series of 60 months, on two workers.
"""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
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
from many_series import write_series

GAIN, COST = 1.7, 5.0
TRAINING, FILES, EACH = 100_000, 40, 125_000
MANY_SERIES, MONTHS = 10_000, 60
MANY, SAMPLE, MEMORY = 7_200_000, 500_000, "2GiB"  # of the folder of 10 GB
CANDIDATES = ["logistic", "tree", "forest", "boosting"]
CUT = """
import sys
from pyarrow import csv, parquet
rows, each = csv.read_csv(sys.argv[1]), int(sys.argv[3])
for k in range(len(rows) // each):
    parquet.write_table(rows.slice(k * each, each), f"{sys.argv[2]}/part-{k:02d}.parquet")
"""
WAIT = """
import sys
from distributed import Client
Client(sys.argv[1], timeout=120).wait_for_workers(2, timeout=120)
"""


def main() -> None:
    """Print the seconds of each part, and how they compare."""
    parts = {
        "sample": sample,
        "search": search,
        "series": series,
        "score": score,
        "folder": folder,
        "many": many,
    }
    with workplace() as place:
        rows, _ = generate(place, "classification", compute="dask")
        panel, _ = generate(place, "forecasting", compute="dask")
        for project in (rows, panel):
            install(project)
        for name in sys.argv[1:] or parts:
            parts[name](panel if name in ("series", "many") else rows)


def sample(project: Path) -> None:
    """Train on the embedded data."""
    use(project, "none")
    run([program(project, COMMAND), "run"], project)
    alone = seconds(project, "train", "--force")
    use(project, "local")
    cost = seconds(project, "train", "--force") - alone
    print(f"sample: {alone:.1f} s; a cluster costs {cost:.1f} s (to reach: {COST:g})")


def search(project: Path) -> None:
    """Train on many rows."""
    learn(project, CANDIDATES, method='"random"', iterations=2)
    compare("search", project, "train", "--force")


def series(project: Path) -> None:
    """Train on many series."""
    write_series(project)
    use(project, "none")
    for step in ("collect", "define", "prepare"):
        run([program(project, COMMAND), step], project)
    compare("series", project, "train", "--force")


def score(project: Path) -> None:
    """Score a folder."""
    learn(project, ["boosting"])
    use(project, "none")
    run([program(project, COMMAND), "run"], project)
    make(project, project / "rows.csv", FILES * EACH)
    (project / "in").mkdir()
    python = program(project, "python")
    run([python, "-c", CUT, str(project / "rows.csv"), "in", str(EACH)], project)
    compare("score", project, "predict", "in", "out")


def folder(project: Path) -> None:
    """Take a folder that memory does not hold through the steps, and score it."""
    python = program(project, "python")
    frame = [str(HERE / "frame.py"), "classification", str(MANY), "many", str(FILES)]
    run([python, *frame], project)
    size = sum(path.stat().st_size for path in (project / "many").iterdir()) / 1e9
    define(
        project,
        project / "many" / "part-00.csv",
        "target",
        **UNHURRIED,
        path='"many"',
        sample_rows=SAMPLE,
        all_rows="true",
        candidates=["boosting"],
    )
    print(f"folder: {size:.1f} GB, {MANY:,} rows")
    with two_workers(project, "--memory-limit", MEMORY) as address:
        use(project, address)
        for step in ("collect", "define", "prepare", "explore", "train", "evaluate"):
            show(step, run([program(project, COMMAND), step], project))
        run([program(project, COMMAND), "promote", newest(project)], project)
        show("predict", run([program(project, COMMAND), "predict", "many", "scored"], project))


def many(project: Path) -> None:
    """Take ten thousand series through the steps."""
    write_series(project, MANY_SERIES, MONTHS)
    print(f"many: {MANY_SERIES:,} series of {MONTHS} months")
    with two_workers(project) as address:
        use(project, address)
        for step in ("collect", "define", "prepare", "train", "evaluate"):
            show(step, run([program(project, COMMAND), step], project))


def show(step: str, done: Done) -> None:
    """Print what a step took, and its last words."""
    said = done.output.strip().splitlines()
    print(f"  {step}: {done.seconds:.0f} s, {done.megabytes:,.0f} MB; {' / '.join(said[-3:])}")


def newest(project: Path) -> str:
    """Return the newest version."""
    return max(path.parent.name for path in project.glob("models/*/run.json"))


def learn(project: Path, candidates: list[str], **settings: object) -> None:
    """Prepare many rows for training."""
    make(project, project / "train.csv", TRAINING)
    chosen = UNHURRIED | {"candidates": candidates} | settings
    define(project, project / "train.csv", "target", **chosen)
    for step in ("collect", "define", "prepare"):
        run([program(project, COMMAND), step], project)


def make(project: Path, path: Path, rows: int) -> None:
    """Write made-up rows."""
    python = program(project, "python")
    run([python, str(HERE / "frame.py"), "classification", str(rows), str(path)], project)


def compare(name: str, project: Path, *command: str) -> None:
    """Print how long a command takes on one core, on all, and on two workers."""
    use(project, "none")
    one = seconds(project, *command, before=("taskset", "-c", "0"))
    all_cores = seconds(project, *command)
    with two_workers(project) as address:
        use(project, address)
        seconds(project, *command)  # the workers load their libraries
        workers = seconds(project, *command)
    print(
        f"{name}: one core {one:.1f} s, all cores {all_cores:.1f} s, two workers {workers:.1f} s: "
        f"{one / workers:.2f} times one core (to reach: {GAIN}), "
        f"{all_cores / workers:.2f} times all"
    )


def seconds(project: Path, *command: str, before: Sequence[str] = ()) -> float:
    """Return the seconds of a command that begins anew."""
    run(["rm", "-rf", "out"], project)
    return run([*before, program(project, COMMAND), *command], project).seconds


def use(project: Path, scheduler: str) -> None:
    """Name the cluster."""
    path = project / "project.toml"
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^scheduler = .*$", f'scheduler = "{scheduler}"', text)
    path.write_text(text, encoding="utf-8")


@contextmanager
def two_workers(project: Path, *limits: str) -> Iterator[str]:
    """Start a scheduler and two workers, and end them; yield the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    common = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
    worker = ("worker", address, "--nthreads", "1", "--local-directory", ".dask", *limits, *common)
    commands = [("scheduler", "--port", port, *common), worker, worker]
    processes = []
    with (project / "cluster.log").open("w", encoding="utf-8") as log:
        for command in commands:
            dask = [program(project, "dask"), *command]
            processes.append(subprocess.Popen(dask, cwd=project, stdout=log, stderr=log))
        try:
            run([program(project, "python"), "-c", WAIT, address], project)
            yield address
        finally:
            for process in processes[::-1]:
                process.terminate()
            for process in processes:
                process.wait(60)


if __name__ == "__main__":
    main()
