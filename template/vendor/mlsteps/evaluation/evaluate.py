"""Open the test set for the newest version, measure it, and write down what came out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import read_json, replacing, write_json, write_text
from ..modeling import store
from ..modeling.predictor import LoadPredictor
from ..plots import bars, new_figure, plot_style
from ..problem.metric import Metrics, all_metrics, select_metric
from ..problem.project import Project
from ..report import columns, facts, figure, heading, notice, number, paragraph, table, write_card
from ..variants import of_type
from . import rows
from .gate import Check
from .model_card import model_card
from .result import SEEN, UNSEEN, TestResult

SHOWN_FEATURES = 15
STORED_PREDICTIONS = 5000  # for step 8, to see when predictions change


@plot_style()
def evaluate(
    project: Project,
    metrics: Metrics,
    load_predictor: LoadPredictor,
    sections: Callable[[TestResult], list[str]],
    gate: Callable[[TestResult], list[Check]],
    card: str,
) -> str:
    """Write metrics.json and card.md of the newest version, and reports/metrics.json.

    No model is fitted: what has to be was fitted in training.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    metrics : dict of str to Metric
        Those of the project, added to the standard ones.
    load_predictor : function of Path
        Returns the predictor of a version, from its folder.
    sections : function of TestResult
        Returns what the report shows of the test, made by the functions of `report`.
    gate : function of TestResult
        Returns the checks that a model has to pass before it may serve.
    card : str
        The text of the model card, a template of `string.Template`.

    Returns
    -------
    str
        A sentence for the command line: the metric with its interval, and whether the gate passed.

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
    if "baselines" not in run:
        raise UserError(
            f"Version {predictor.version} was trained by an earlier version of this project's "
            "library; train again with `run`."
        )
    known = all_metrics(definition.problem.type, metrics)
    select_metric(definition.problem.metric, known)
    series = definition.problem.of_series  # its module needs statsmodels
    test = of_type("evaluation", "forecasting") if series else rows
    result = test.test_model(project, predictor, run, known)
    checks = gate(result)
    results = {
        "problem": definition.problem.type,
        "metric": definition.problem.metric,
        "version": predictor.version,
        "model": run["model"],
        "test": result.measured,
        "baseline": next(iter(result.baselines.values()), {}),
        "baselines": result.baselines,
        "leaderboard": run["leaderboard"],
        "gate": {
            "passed": all(check.passed for check in checks),
            "reasons": [check.reason for check in checks if not check.passed],
            "checks": [{"what": check.reason, "passed": check.passed} for check in checks],
        },
        "costs": result.costs,
        "outcome": result.outcome,
        "slices": result.slices,
        "importance": result.importance,
        "loss": result.loss,
        "test_rows": result.rows,
        "tested_on": result.tested_on,
        "test_opened": _times_opened(project.models, run["data"]["test"], predictor.version),
    }
    predictions = result.predictions
    stored = predictions.sample(
        min(len(predictions), STORED_PREDICTIONS), random_state=definition.search.seed
    )
    with replacing(folder / store.TEST_PREDICTIONS) as path:
        stored.to_parquet(path)
    write_text(
        folder / store.CARD, model_card(card, results, run, predictor.schema, known, definition)
    )
    write_json(folder / store.METRICS, results)
    write_json(project.reports / "metrics.json", results)
    summary = _summary(results, known)
    _write_card(project.reports, summary, results, result, sections(result), known)
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


def _summary(results: dict[str, Any], metrics: Metrics) -> str:
    name = results["metric"]
    mine = results["test"][name]
    gate = "passed" if results["gate"]["passed"] else "FAILED"
    guess = results["baseline"].get(name)
    return (
        f"{results['model']}: {metrics[name].title} {number(mine['value'])} "
        f"({number(mine['low'])} to {number(mine['high'])}) on {results['tested_on']}"
        f"{'' if guess is None else f', baseline {number(guess)}'}; gate {gate}"
    )


def _write_card(
    reports: Path,
    summary: str,
    results: dict[str, Any],
    result: TestResult,
    sections: list[str],
    metrics: Metrics,
) -> None:
    gate, baselines = results["gate"], results["baselines"]
    checks = [
        notice(check["what"], "good" if check["passed"] else "bad") for check in gate["checks"]
    ]
    lines = [
        {
            "metric": metrics[name].title,
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
        heading(_rows(result)),
        *(often if opened > 3 and result.tested_on == UNSEEN else []),
        table(lines),
        facts(results["outcome"]),
        columns(*sections, *_importance(results)),
        *result.tables,
        heading(f"{metrics[results['metric']].title} by slice"),
        table(results["slices"]) if results["slices"] else paragraph("No column has few values."),
    )


def _rows(result: TestResult) -> str:
    if result.tested_on == UNSEEN:
        return f"The test set: {result.rows:,} rows that no model has seen"
    if result.tested_on == SEEN:
        return f"All {result.rows:,} rows, to which the model was fitted as well"
    return f"All {result.rows:,} rows, each predicted by a model of the search that has not seen it"


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
