"""Where more workers of a cluster stop helping: a simulation from times that are measured here.

Measured on this machine: a fit of a fold of 100,000 rows, the scoring of a file of 25,000 rows,
how long it takes to hand a task to a worker and to get its result, and how long to log a row. All
but the fits and scorings are done by one process, in turn. Simulated: tasks go to whichever of 10,
100 and 1,000 workers is free, in the order in which that process hands them over. Networks, disks
and the start of workers take no time here. Tried besides: tasks that only wait, as long as a file
takes, on 100 threads of two workers, against the simulation.
"""

import heapq
import json
from itertools import islice
from pathlib import Path

from cluster import learn, make, two_workers, use
from common import COMMAND, generate, install, program, run, workplace

WORKERS = (10, 100, 1000)
FITS, SCORED, ROWS = 2_500, 10_000, 25_000  # 500 trials on 5 folds; files; rows of each
EMPTY, TIMES = 2_000, 3  # tasks that do nothing; of each scoring
WAITING, THREADS = 1_000, 100  # tasks that only wait, and on how many threads of two workers
MODEL = "boosting"
WAIT = """
import sys, time
from mlsteps.modeling.parallel import in_parallel, on_cluster
from mlsteps.problem.settings import Compute
scheduler, threads, tasks, seconds = sys.argv[1:]
with on_cluster(Compute(scheduler=scheduler, workers=2, threads=int(threads) // 2), "mlsteps"):
    list(in_parallel(time.sleep, [(0,)] * 10))
    began = time.monotonic()
    list(in_parallel(time.sleep, [(float(seconds),)] * int(tasks)))
    taken = time.monotonic() - began
print(taken)
"""


def main() -> None:
    """Print what was measured, and what follows for more workers."""
    with workplace() as folder:
        project, _ = generate(folder, "classification", compute="dask")
        install(project)
        fit, file, hand_over, row = measure(project)
        tried = wait(project, "local", THREADS, WAITING, file)
    print(f"a fit {fit:.2f} s, a file {file:.2f} s, a row logged {row * 1e6:.0f} µs")
    print(f"a task handed over and its result taken {hand_over * 1000:.1f} ms")
    for name, (tasks, seconds, turn) in cases(fit, file, hand_over, row).items():
        alone = tasks * (seconds + turn)
        print(f"{name}: one worker {alone:,.0f} s; {1 + seconds / turn:,.0f} workers are kept busy")
        for workers in WORKERS:
            taken = simulate(tasks, seconds, turn, workers)
            print(f"    {workers:>5,} workers: {taken:>8,.1f} s, {alone / taken:6.1f} times")
    alone = WAITING * (file + hand_over)
    simulated = alone / simulate(WAITING, file, hand_over, THREADS)
    print(f"{WAITING:,} tasks that wait: {alone / tried:.1f} times; simulated {simulated:.1f}")


def cases(
    fit: float, file: float, hand_over: float, row: float
) -> dict[str, tuple[int, float, float]]:
    """Return how many tasks there are, what each takes a worker, and what it takes the process."""
    return {
        f"{FITS:,} fits": (FITS, fit, hand_over),
        f"{SCORED:,} files": (SCORED, file, hand_over),
        f"{SCORED:,} files, each row logged": (SCORED, file, hand_over + ROWS * row),
    }


def simulate(tasks: int, seconds: float, turn: float, workers: int) -> float:
    """Return the seconds until all are done; each begins with a turn of the one process."""
    free = [0.0] * min(workers, tasks)  # when each worker is done
    handed = 0.0
    for _ in range(tasks):
        handed = max(handed, free[0]) + turn
        heapq.heapreplace(free, handed + seconds)
    return max(free)


def measure(project: Path) -> tuple[float, float, float, float]:
    """Return the seconds of a fit, of a scored file, of a task that does nothing, and of a row."""
    learn(project, [MODEL])
    use(project, "none")
    run([program(project, COMMAND), "run"], project)
    (version,) = (project / "models").glob("2*")
    (line,) = json.loads((version / "run.json").read_text(encoding="utf-8"))["leaderboard"]
    make(project, project / "rows.csv", ROWS)
    with (project / "rows.csv").open(encoding="utf-8") as rows:
        (project / "one.csv").write_text("".join(islice(rows, 2)), encoding="utf-8")
    start, file = (predict(project, name) for name in ("one.csv", "rows.csv"))
    settings = project / "project.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("log_files = false", "log_files = true"), encoding="utf-8")
    row = (predict(project, "rows.csv") - file) / ROWS
    with two_workers(project) as address:
        hand_over = wait(project, address, 2, EMPTY, 0) / EMPTY
    return line["fit_seconds"], file - start, hand_over, row


def wait(project: Path, scheduler: str, threads: int, tasks: int, seconds: float) -> float:
    """Return the seconds of tasks that only wait, on a cluster of so many threads."""
    given = [scheduler, str(threads), str(tasks), str(seconds)]
    done = run([program(project, "python"), "-c", WAIT, *given], project)
    return float(done.output.split()[-1])


def predict(project: Path, source: str) -> float:
    """Return the least seconds of some scorings, each with a log of its own."""
    command = [program(project, COMMAND), "predict", source, "out.csv"]
    taken = []
    for _ in range(TIMES):
        (project / "predictions.db").unlink(missing_ok=True)
        taken.append(run(command, project).seconds)
    return min(taken)


if __name__ == "__main__":
    main()
