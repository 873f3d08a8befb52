"""The model card: what somebody has to know before relying on the model (Mitchell et al., 2019)."""

from collections.abc import Iterable
from string import Template
from typing import Any

from ..preparation.schema import Schema
from ..problem.definition import Definition
from ..problem.metric import Metrics
from ..report import number
from .result import OUT_OF_FOLD, SEEN

WORST_SLICES, TOP_FEATURES = 5, 10


def model_card(
    card: str,
    results: dict[str, Any],
    run: dict[str, Any],
    schema: Schema,
    metrics: Metrics,
    definition: Definition,
) -> str:
    """Return the card as Markdown, from its template."""
    metric = metrics[results["metric"]]
    gate = results["gate"]
    baselines = [f"baseline {name}" for name in results["baselines"]]
    worst = sorted(
        results["slices"], key=lambda s: s["value"], reverse=not metric.higher_is_better
    )[:WORST_SLICES]
    reasons = "".join(f"\n- failed: {reason}" for reason in gate["reasons"])
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    return Template(card).substitute(
        version=results["version"],
        model=run["model"],
        trained=run["trained"],
        purpose=definition.problem.purpose(),
        problem=schema.problem,
        gate=f"{'passed' if gate['passed'] else 'not passed'}.{reasons}",
        source=definition.data.path or definition.data.source,
        inputs=", ".join(f"`{c.name}`" for c in schema.inputs),
        data=_rows(results, run, definition),
        tested_on=results["tested_on"],
        quality=_table(
            ["metric", "value", "95 % interval", *baselines], _quality(results, metrics)
        ),
        outcome=_words(results["outcome"]),
        slices=_slices(worst, metric.title),
        features=_features(results["importance"], results["loss"]),
        candidates=len(run["leaderboard"]),
        scored_by=run["scored_by"],
        folds=definition.search.folds,
        settings=run["settings"] or "default",
        seed=definition.search.seed,
        versions=versions,
        fit_seconds=f"{run['fit_seconds']:.1f}",
        megabytes=f"{run['model_megabytes']:.1f}",
        milliseconds=f"{results['costs']['predict_milliseconds']:.1f}",
    )


def _rows(results: dict[str, Any], run: dict[str, Any], definition: Definition) -> str:
    if results["tested_on"] == OUT_OF_FOLD:
        return (
            f"{run['training_rows']:,} rows; each was predicted by a model of the search that has "
            "not seen it, and the model itself was fitted to all."
        )
    if results["tested_on"] == SEEN:
        return f"{run['training_rows']:,} rows; the model was fitted to all and is tested on all."
    return (
        f"{run['training_rows']:,} training rows and {results['test_rows']:,} test rows, split by "
        f"{definition.split_by()}. {results['test_opened']} version(s) have met this test set."
    )


def _quality(results: dict[str, Any], metrics: Metrics) -> Iterable[list[str]]:
    for name, numbers in results["test"].items():
        rivals = [values.get(name) for values in results["baselines"].values()]
        yield [
            metrics[name].title,
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
