"""Open the test set for the newest version, judge it, and write down what came out."""

from pathlib import Path
from typing import Any

from ..files import read_json, replacing, write_json, write_text
from ..modeling import store
from ..modeling.predictor import load_predictor
from ..plots import bars, new_figure
from ..problem import METRICS
from ..problem.project import Project
from ..report import columns, facts, figure, heading, notice, number, paragraph, table, write_card
from .gate import judge
from .model_card import model_card
from .tested import LEARNT, UNSEEN, Tested
from .testing import meet_test

SHOWN_FEATURES = 15
KEPT_ANSWERS = 5000  # for step 8, to tell when the answers change


def evaluate(project: Project) -> str:
    """Write metrics.json and card.md of the newest version, and reports/metrics.json.

    Raises
    ------
    UserError
        If no version was trained, its files are damaged, or the metric is not defined on the test
        rows.
    """
    definition = project.definition
    folder = project.models / store.newest_version(project.models)
    run = read_json(folder / store.RUN)
    predictor = load_predictor(folder)
    tested = meet_test(project, predictor, run)
    costs = {
        "train_seconds": run["fit_seconds"],
        "model_megabytes": run["model_megabytes"],
        "predict_milliseconds": tested.milliseconds,
    }
    results = {
        "problem": definition.problem.type,
        "metric": definition.problem.metric,
        "version": predictor.version,
        "model": run["model"],
        "test": tested.measured,
        "baseline": next(iter(tested.baselines.values()), {}),
        "baselines": tested.baselines,
        "leaderboard": run["leaderboard"],
        "gate": judge(tested.measured, tested.baselines, costs, tested.checks, definition),
        "costs": costs,
        "outcome": tested.outcome,
        "slices": tested.slices,
        "importance": tested.importance,
        "loss": tested.loss,
        "test_rows": tested.rows,
        "tested_on": tested.on,
        "test_opened": _times_opened(project.models, run["data"]["test"], predictor.version),
    }
    answers = tested.answers
    kept = answers.sample(min(len(answers), KEPT_ANSWERS), random_state=definition.search.seed)
    with replacing(folder / store.ANSWERS) as path:
        kept.to_parquet(path)
    write_text(folder / store.CARD, model_card(results, run, predictor.schema, definition))
    write_json(folder / store.METRICS, results)
    write_json(project.reports / "metrics.json", results)
    summary = _summary(results)
    _write_card(project.reports, summary, results, tested)
    return summary


def _times_opened(models: Path, digest: str, version: str) -> int:
    """Return how many versions have now met these very test rows."""
    earlier = [
        name
        for name in store.versions(models)
        if name != version
        and (models / name / store.METRICS).exists()
        and read_json(models / name / store.RUN)["data"]["test"] == digest
    ]
    return len(earlier) + 1


def _summary(results: dict[str, Any]) -> str:
    name = results["metric"]
    mine = results["test"][name]
    gate = "passed" if results["gate"]["passed"] else "FAILED"
    guess = results["baseline"].get(name)
    return (
        f"{results['model']}: {METRICS[name].title} {number(mine['value'])} "
        f"({number(mine['low'])} to {number(mine['high'])}) on {results['tested_on']}"
        f"{'' if guess is None else f', baseline {number(guess)}'}; gate {gate}"
    )


def _write_card(reports: Path, summary: str, results: dict[str, Any], tested: Tested) -> None:
    gate, baselines = results["gate"], results["baselines"]
    checks = [
        notice(check["what"], "good" if check["passed"] else "bad") for check in gate["checks"]
    ]
    metrics = [
        {
            "metric": METRICS[name].title,
            "value": numbers["value"],
            "95 % from": numbers["low"],
            "to": numbers["high"],
            **{f"baseline {rival}": values.get(name) for rival, values in baselines.items()},
        }
        for name, numbers in results["test"].items()
    ]
    opened = results["test_opened"]
    often = [
        notice(
            f"{opened} versions have met this test set; the more choices it has settled, the less "
            "its numbers say about new rows.",
            "warn",
        )
    ]
    write_card(
        reports,
        "evaluate",
        summary,
        heading("The gate"),
        *checks,
        heading(_rows(tested)),
        *(often if opened > 3 and tested.on == UNSEEN else []),
        table(metrics),
        facts(results["outcome"]),
        columns(*tested.plots, *_importance(results)),
        *tested.further,
        heading(f"{METRICS[results['metric']].title} by slice"),
        table(results["slices"]) if results["slices"] else paragraph("No column has few values."),
    )


def _rows(tested: Tested) -> str:
    if tested.on == UNSEEN:
        return f"The test set: {tested.rows:,} rows that no model has seen"
    if tested.on == LEARNT:
        return f"All {tested.rows:,} rows, from which the model has learnt as well"
    return f"All {tested.rows:,} rows, each judged by a model of the search that has not seen it"


def _importance(results: dict[str, Any]) -> list[str]:
    shown = results["importance"][:SHOWN_FEATURES]
    if not shown:
        return []
    plot, axes = new_figure(height=1 + 0.17 * len(shown), grid="x")
    losses = [line["loss"] for line in shown]
    bars(axes, [line["feature"] for line in shown], losses, xerr=[x["deviation"] for x in shown])
    left = len(results["importance"]) - len(shown)
    more = f"; the {left} that matter less are not shown" if left else ""
    return [figure(plot, f"{results['loss']}{more}.", "Importance")]
