"""The model card: what somebody has to know before relying on the model (Mitchell et al., 2019)."""

from collections.abc import Iterable
from typing import Any

from ..preparation.schema import Schema
from ..problem import METRICS
from ..problem.definition import Definition
from ..report import number
from .tested import CROSSED, LEARNT

WORST_SLICES, TOP_FEATURES = 5, 10


def model_card(
    results: dict[str, Any], run: dict[str, Any], schema: Schema, definition: Definition
) -> str:
    """Return the card as Markdown."""
    metric = METRICS[results["metric"]]
    gate = results["gate"]
    baselines = [f"baseline {name}" for name in results["baselines"]]
    worst = sorted(
        results["slices"], key=lambda s: s["value"], reverse=not metric.higher_is_better
    )[:WORST_SLICES]
    reasons = "".join(f"\n- failed: {reason}" for reason in gate["reasons"])
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    return f"""# Model {results["version"]}

**{run["model"]}**, trained {run["trained"]} to {definition.problem.purpose()} ({schema.problem}).
The gate was {"passed" if gate["passed"] else "not passed"}.{reasons}

## Intended use

Answers rows like those of `{definition.data.path}`, with these inputs:
{", ".join(f"`{c.name}`" for c in schema.inputs)}.
It was not tested on rows from elsewhere, and says nothing about cause and effect.

## Data

{_rows(results, run, definition)}

## Quality on {results["tested_on"]}

{_table(["metric", "value", "95 % interval", *baselines], _quality(results))}

{_words(results["outcome"])}

## Where it is weakest

{_slices(worst, metric.title)}

{_features(results["importance"], results["loss"])}## How it was made

Best of {len(run["leaderboard"])} candidates in {run["judged_by"]} with
{definition.search.folds} folds, settings {run["settings"] or "default"},
seed {definition.search.seed}; {versions}.
Fitted in {run["fit_seconds"]:.1f} s, {run["model_megabytes"]:.1f} MB,
{results["costs"]["predict_milliseconds"]:.1f} ms for one row.
"""


def _rows(results: dict[str, Any], run: dict[str, Any], definition: Definition) -> str:
    if results["tested_on"] == CROSSED:
        return (
            f"{run['training_rows']:,} rows; each was judged by a model of the search that has not "
            "seen it, and the model itself has learnt from all."
        )
    if results["tested_on"] == LEARNT:
        return f"{run['training_rows']:,} rows; the model has learnt from all and is judged on all."
    return (
        f"{run['training_rows']:,} training rows and {results['test_rows']:,} test rows, split by "
        f"{definition.split_by()}. {results['test_opened']} version(s) have met this test set."
    )


def _quality(results: dict[str, Any]) -> Iterable[list[str]]:
    for name, numbers in results["test"].items():
        rivals = [values.get(name) for values in results["baselines"].values()]
        yield [
            METRICS[name].title,
            number(numbers["value"]),
            f"{number(numbers['low'])} to {number(numbers['high'])}",
            *("" if value is None else number(value) for value in rivals),
        ]


def _slices(worst: list[dict[str, Any]], title: str) -> str:
    if not worst:
        return "No slice has enough rows to tell."
    rows = (
        [
            f"{s['column']} = {s['slice']}",
            str(s["rows"]),
            number(s["value"]),
            f"{number(s['low'])} to {number(s['high'])}",
        ]
        for s in worst
    )
    return _table(["slice", "rows", title, "95 % interval"], rows)


def _features(importance: list[dict[str, Any]], loss: str) -> str:
    lines = (f"- `{line['feature']}`: {number(line['loss'])}" for line in importance[:TOP_FEATURES])
    if not importance:
        return ""
    return "## What it looks at\n\n" + f"{loss}:\n\n" + "\n".join(lines) + "\n\n"


def _words(outcome: dict[str, Any]) -> str:
    words = (
        f"{label}: {number(value)}" if isinstance(value, float) else f"{label}: {value}"
        for label, value in outcome.items()
    )
    return "; ".join(words).capitalize() + "."


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
