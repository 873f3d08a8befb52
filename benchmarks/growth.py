"""What ten times as many rows cost: `run` on 100,000 and on 1,000,000 rows of the same kind.

Three candidates that take any number of rows, three folds, no search: `growth.py` for
classification, `growth.py regression` for the other. Time should grow at most as the rows do. The
peak memory of the process is held against the size of the frame as pandas reads it; it should be
at most 4 times that. What the same process takes for 1,000 rows is printed as well: that much
are Python and its libraries.
"""

import sys
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

ROWS = (1_000, 100_000, 1_000_000)
MEMORY_GOAL = 4.0
CANDIDATES = {
    "classification": ["logistic", "tree", "boosting"],
    "regression": ["ridge", "tree", "boosting"],
}
SIZE = "import pandas, sys; print(pandas.read_csv(sys.argv[1]).memory_usage(deep=True).sum())"


def main(problem: str = "classification") -> None:
    """Print time and memory for each number of rows, and how they grow."""
    with workplace() as folder:
        project, _ = generate(folder, problem)
        install(project)
        (few, _), (small, _), (large, frame) = (measure(project, problem, n) for n in ROWS)
    growth, rows = large.seconds / small.seconds, ROWS[2] / ROWS[1]
    print(f"time: {growth:.1f} times for {rows:g} times the rows, ratio {growth / rows:.2f} to 1")
    memory = large.megabytes / frame
    beside = (large.megabytes - few.megabytes) / frame
    print(
        f"memory: {memory:.1f} times the frame, ratio {memory / MEMORY_GOAL:.2f} to "
        f"{MEMORY_GOAL:g} times; without Python and its libraries {beside:.1f} times"
    )


def measure(project: Path, problem: str, rows: int) -> tuple[Done, float]:
    """Run a project on so many rows; return that, and the megabytes of the frame."""
    data, python = project.parent / f"{rows}.csv", program(project, "python")
    run([python, str(HERE / "frame.py"), problem, str(rows), str(data)], project)
    frame = int(run([python, "-c", SIZE, str(data)], project).output) / 1e6
    define(project, data, "target", candidates=CANDIDATES[problem], **UNHURRIED)
    done = run([program(project, COMMAND), "run", "--force"], project)
    print(
        f"{rows:>9,} rows, a frame of {frame:,.0f} MB: {done.seconds:.1f} s, "
        f"{done.megabytes:,.0f} MB at most"
    )
    return done, frame


if __name__ == "__main__":
    main(*sys.argv[1:])
