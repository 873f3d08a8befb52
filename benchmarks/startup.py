"""How long `my-model --help` takes in an installed project.

The median of ten calls after one that does not count, held against 0.3 s and against the time
that the same Python needs to start and do nothing.
"""

from pathlib import Path
from statistics import median

from common import COMMAND, generate, install, program, run, workplace

GOAL = 0.3
CALLS = 10


def main() -> None:
    """Print the median, and its ratios."""
    with workplace() as folder:
        project, _ = generate(folder, "classification")
        install(project)
        helped = measure([program(project, COMMAND), "--help"], project)
        nothing = measure([program(project, "python"), "-c", "pass"], project)
    print(
        f"{COMMAND} --help: {helped:.3f} s, {helped / GOAL:.2f} of {GOAL} s; "
        f"python -c pass: {nothing:.3f} s, so {helped / nothing:.1f} times that"
    )


def measure(command: list[str], folder: Path) -> float:
    """Return the median of the seconds that a command takes once it is warm."""
    _, *seconds = [run(command, folder).seconds for _ in range(1 + CALLS)]
    return median(seconds)


if __name__ == "__main__":
    main()
