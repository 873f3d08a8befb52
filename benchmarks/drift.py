"""How often `monitor` is wrong: on rows like those it was trained on, and on a column that moved.

Projects with 20 columns (numbers of several shapes, some missing, and labels) learn from 4,000 rows
each. Then each watches many times 1,000 predictions and their truth, drawn anew from the same
source: an alarm is false. With half a standard deviation added to one number, no alarm is a miss.
"""

import json
import sys

from common import COMMAND, HERE, UNHURRIED, define, generate, install, program, run, workplace

PROJECTS, QUIET_RUNS, MOVED_RUNS = 8, 125, 25  # runs of each project
MOST_FALSE, LEAST_SEEN = 0.01, 0.95


def main() -> None:
    """Print the share of false alarms, and that of moved columns that were seen."""
    quiet = seen = 0
    with workplace() as folder:
        project, _ = generate(folder, "classification")
        install(project)
        python, data = program(project, "python"), folder / "rows.csv"
        for seed in range(PROJECTS):
            run([python, str(HERE / "watch.py"), "write", str(seed), str(data)], project)
            define(project, data, "target", candidates=["logistic"], **UNHURRIED)
            run([program(project, COMMAND), "run"], project)
            counts = [str(QUIET_RUNS), str(MOVED_RUNS)]
            done = run([python, str(HERE / "watch.py"), "watch", str(seed), *counts], project)
            found = json.loads(done.output.splitlines()[-1])
            quiet += found["false alarms"]
            seen += found["seen"]
            print(f"model {seed + 1}: {found}, {done.seconds:.0f} s", flush=True)
    false, shown = quiet / (PROJECTS * QUIET_RUNS), seen / (PROJECTS * MOVED_RUNS)
    print(
        f"false alarms: {quiet} of {PROJECTS * QUIET_RUNS} runs, {false:.2%}, ratio "
        f"{false / MOST_FALSE:.2f} to {MOST_FALSE:.0%}; a moved column was seen in "
        f"{seen} of {PROJECTS * MOVED_RUNS}, {shown:.1%}, ratio {shown / LEAST_SEEN:.2f} to "
        f"{LEAST_SEEN:.0%}"
    )
    sys.exit(false > MOST_FALSE or shown < LEAST_SEEN)


if __name__ == "__main__":
    main()
