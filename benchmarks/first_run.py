"""From nothing to a promoted model and its report, for each problem type.

What a new user does: `uvx cookiecutter` with the default answers, then `uv run my-model run`
(here in two parts, the installation and the run). Everything is made anew each time, but the
packages are in uv's cache: the first round fills it and does not count. The figure is the median
of three rounds, held against 30 s. Names of problem types choose among them.
"""

import json
import shutil
import sys
from pathlib import Path
from statistics import median

from common import COMMAND, generate, install, run, workplace

PROBLEMS = ("classification", "regression", "clustering", "forecasting", "anomaly_detection")
GOAL = 30.0
ROUNDS = 3


def main() -> None:
    """Print the median, and how the time is spent."""
    with workplace() as folder:
        for problem in sys.argv[1:] or PROBLEMS:
            _, *rounds = [start(folder, problem) for _ in range(1 + ROUNDS)]
            middle = {part: median(spent[part] for spent in rounds) for part in rounds[0]}
            each = ", ".join(f"{spent['all']:.1f}" for spent in rounds)
            total = middle["all"]
            print(f"{problem}: {total:.1f} s ({each}), {total / GOAL:.2f} of {GOAL:g} s")
            for part in filter(lambda part: part != "all", middle):
                print(f"    {part:<10}{middle[part]:5.1f} s")


def start(folder: Path, problem: str) -> dict[str, float]:
    """Start a project, run it and delete it; return the seconds of each part."""
    project, generated = generate(folder, problem)
    installed = install(project)
    ran = run(f"uv run {COMMAND} run", project).seconds
    for made in ("models/champion.json", "reports/index.html"):
        if not (project / made).is_file():
            raise FileNotFoundError(project / made)
    steps = json.loads((project / "reports" / "steps.json").read_text(encoding="utf-8"))
    shutil.rmtree(project)
    seconds = {name: step["seconds"] for name, step in steps.items()}
    return {
        "all": generated + installed + ran,
        "generate": generated,
        "install": installed,
        "run": ran,
        **{f"  {name}": spent for name, spent in seconds.items()},
        "  the rest": ran - sum(seconds.values()),
    }


if __name__ == "__main__":
    main()
