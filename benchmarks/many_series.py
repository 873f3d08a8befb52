"""Forecasting 1,000 series of 120 months, 12 ahead, with all candidates: `run` against 300 s.

Default settings of every candidate, five origins in the backtest; then the test, the fit on
everything, and the report.
"""

import csv
import json
import math
import random
import re
from pathlib import Path

from common import COMMAND, generate, install, program, run, workplace

GOAL = 300.0
SERIES, MONTHS, HORIZON = 1000, 120, 12
SETTINGS = {
    "target": '"sold"',
    "horizon": str(HORIZON),
    "path": '"series.csv"',
    "date": '"month"',
    "series": '"article"',
    "method": '"none"',
    "budget_seconds": "36000",
    "train_seconds": "36000",
}


def main() -> None:
    """Print the seconds of `run`, and of each step."""
    with workplace() as folder:
        project, _ = generate(folder, "forecasting")
        install(project)
        write_series(project)
        done = run([program(project, COMMAND), "run"], project)
        steps = json.loads((project / "reports" / "steps.json").read_text(encoding="utf-8"))
    print(f"{done.seconds:.0f} s, {done.seconds / GOAL:.2f} of {GOAL:g} s")
    for name, step in steps.items():
        print(f"    {name:<10}{step['seconds']:6.1f} s")


def write_series(project: Path, series: int = SERIES, months: int = MONTHS) -> None:
    """Write the series into a project, and point it at them."""
    with (project / "series.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("month", "article", "sold"), *rows(series, months)])
    path = project / "project.toml"
    text = path.read_text(encoding="utf-8")
    for key, value in SETTINGS.items():
        text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
    path.write_text(text, encoding="utf-8")


def rows(series: int, months: int) -> list[tuple[str, str, str]]:
    """Return series with a level, a trend, a season and a random walk of their own."""
    made = []
    for number in range(series):
        chance = random.Random(number)  # noqa: S311 -- made up, not secret
        slope, wave, shift = chance.uniform(0, 1), chance.uniform(5, 20), chance.randrange(12)
        walk = 100.0
        for month in range(months):
            walk += chance.gauss(0, 1)
            season = wave * math.sin(2 * math.pi * (month + shift) / 12)
            value = max(1.0, walk + slope * month + season + chance.gauss(0, 3))
            date = f"{2015 + month // 12}-{month % 12 + 1:02d}-01"
            made.append((date, f"article {number}", f"{value:.1f}"))
    return made


if __name__ == "__main__":
    main()
