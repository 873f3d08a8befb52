"""The model card: what somebody has to know before relying on the model (Mitchell et al., 2019)."""

from collections.abc import Sequence
from string import Template
from typing import Any

from ..modeling.predictor import Predictor
from ..problem.definition import Definition
from ..problem.metric import Metric
from ..problem.sample import ALL_ROWS, said_of
from ..report import in_markdown, number
from .result import tested_rows

WORST_SLICES, TOP_FEATURES = 5, 10


def model_card(
    card: str,
    results: dict[str, Any],
    quality: Sequence[dict[str, Any]],
    run: dict[str, Any],
    predictor: Predictor,
    metric: Metric,
    definition: Definition,
) -> str:
    """Return the card as Markdown, from its template; `quality` has a line for each metric."""
    gate, schema = results["gate"], predictor.schema
    said = [check for check in gate["checks"] if check["noted"] or not check["passed"]]
    marks = ["" if check["passed"] else "failed: " for check in said]
    reasons = [f"\n- {m}{_cell(check['what'])}" for m, check in zip(marks, said, strict=True)]
    worst = sorted(results["slices"], key=lambda x: metric.gain(x["value"], 0))[:WORST_SLICES]
    features = [
        f"- {_code(line['feature'])}: {number(line['loss'])}"
        for line in results["importance"][:TOP_FEATURES]
    ]
    outcome = "; ".join(": ".join(map(_cell, pair)) for pair in results["outcome"].items())
    return Template(card).substitute(
        version=results["version"],
        model=run["model"],
        trained=run["trained"],
        purpose=definition.problem.purpose(),
        problem=schema.problem,
        gate=f"{'passed' if gate['passed'] else 'not passed'}.{''.join(reasons)}",
        source=definition.data.path or definition.data.source,
        inputs=", ".join(_code(column.name) for column in schema.inputs),
        data=f"{run['training_rows']:,} training rows. Tested on "
        f"{tested_rows(results['tested_on'], results['test_rows'])}; [split] by is "
        f"{definition.split_by()}. Versions that have met this test set: {results['test_opened']}."
        + (f" {_sampled(run)}" if "sample" in run else ""),
        tested_on=results["tested_on"],
        quality=_table(quality),
        outcome=f"{outcome[:1].upper()}{outcome[1:]}.",
        slices=_table(worst) if worst else "No slice has enough rows.",
        features="\n".join([f"{results['loss']}:\n", *features]) if features else "Not measured.",
        candidates=len(run["leaderboard"]),
        scored_by=run["scored_by"],
        folds=definition.search.folds,
        settings=run["settings"] or "default",
        seed=definition.search.seed,
        versions=", ".join(f"{name} {version}" for name, version in run["versions"].items()),
        fit_seconds=f"{run['fit_seconds']:.1f}",
        megabytes=f"{run['model_megabytes']:.1f}",
        milliseconds=f"{results['costs']['predict_milliseconds']:.1f}",
    )


def _sampled(run: dict[str, Any]) -> str:
    """Say what of the rows is from a sample."""
    if run["model"] == ALL_ROWS:
        return f"The test is from {said_of(run['sample'])}, and {run['all_rows']}."
    return f"Both are from {said_of(run['sample'])}."


def _table(lines: Sequence[dict[str, Any]]) -> str:
    """Write lines as a table of Markdown."""
    rows = [list(lines[0]), ["---"] * len(lines[0]), *(line.values() for line in lines)]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, float) else in_markdown(value)


def _code(name: str) -> str:
    return "`" + " ".join(name.split()).replace("`", "'") + "`"
