"""Open the test set for the newest version, measure it, and write down what came out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from .result import UNSEEN, TestResult, tested_rows

SHOWN_FEATURES = 15
STORED_PREDICTIONS = 5000  # for step 8, to see when predictions change
OFTEN = 3  # versions that may meet a test set before its numbers flatter


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
        Sentences for the command line: the metric with its interval, whether the gate passed, and
        why not.

    Raises
    ------
    UserError
        If no version was trained, its files are damaged, or the metric is not defined on the test
        rows.

    Examples
    --------
    Inside a project, with its own parts:

    >>> evaluate(
    ...     project, METRICS, load_model, evaluation_sections, gate, CARD
    ... )  # doctest: +SKIP
    'forest: ROC AUC 0.87 (0.84 to 0.9) on the test set, baseline 0.5; gate passed'
    """
    definition, models = project.definition, project.models
    folder = models / store.newest_version(models)
    run, predictor = read_json(folder / store.RUN), load_predictor(folder)
    known = all_metrics(definition.problem.type, metrics)
    metric = select_metric(definition.problem.metric, known)
    series = definition.problem.of_series  # its module needs statsmodels
    test = of_type("evaluation", "forecasting") if series else rows
    result: TestResult = test.test_model(project, predictor, run, known)
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
            "checks": [{"what": c.reason, "passed": c.passed, "noted": c.noted} for c in checks],
        },
        "costs": result.costs,
        "outcome": result.outcome,
        "slices": result.slices,
        "importance": result.importance,
        "loss": result.loss,
        "test_rows": result.rows,
        "tested_on": result.tested_on,
        "test_opened": _times_opened(models, run["data"]["test"], predictor.version),
    }
    quality = [
        {
            "metric": known[name].title,
            "value": numbers["value"],
            "95 % from": numbers["low"],
            "to": numbers["high"],
            **{f"baseline {one}": values.get(name) for one, values in result.baselines.items()},
        }
        for name, numbers in result.measured.items()
    ]
    count = min(len(result.predictions), STORED_PREDICTIONS)
    with replacing(folder / store.TEST_PREDICTIONS) as path:
        result.predictions.sample(count, random_state=definition.search.seed).to_parquet(path)
    text = model_card(card, results, quality, run, predictor, metric, definition)
    write_text(folder / store.CARD, text)
    store.add_to_card(models, folder.name)
    write_json(folder / store.METRICS, results)
    write_json(project.reports / "metrics.json", results)
    summary = _summary(results, metric.title)
    _write_card(project.reports, summary, results, quality, result, sections(result))
    said = (check.reason for check in checks if check.noted or not check.passed)
    return "\n".join([summary, *said])


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


def _summary(results: dict[str, Any], title: str) -> str:
    name = results["metric"]
    value, low, high = (number(results["test"][name][key]) for key in ("value", "low", "high"))
    found = f"{results['model']}: {title} {value} ({low} to {high}) on {results['tested_on']}"
    if name in results["baseline"]:
        found += f", baseline {number(results['baseline'][name])}"
    return f"{found}; gate {'passed' if results['gate']['passed'] else 'FAILED'}"


def _write_card(
    reports: Path,
    summary: str,
    results: dict[str, Any],
    quality: list[dict[str, Any]],
    result: TestResult,
    sections: list[str],
) -> None:
    checks = [
        notice(check["what"], ("warn" if check["noted"] else "good") if check["passed"] else "bad")
        for check in results["gate"]["checks"]
    ]
    warnings = []
    if result.tested_on == UNSEEN and results["test_opened"] > OFTEN:
        often = (
            f"{results['test_opened']} versions have met this test set; the more choices it has "
            "settled, the less its numbers say about new rows."
        )
        warnings.append(notice(often, "warn"))
    write_card(
        reports,
        "evaluate",
        summary,
        heading("The gate"),
        *checks,
        heading(f"Tested on {tested_rows(result.tested_on, result.rows)}"),
        *warnings,
        table(quality),
        facts(result.outcome),
        columns(*sections, *_importance(result)),
        *result.tables,
        heading(f"{result.metric.title} by slice"),
        table(result.slices) if result.slices else paragraph("No column has few values."),
    )


def _importance(result: TestResult) -> list[str]:
    shown = result.importance[:SHOWN_FEATURES]
    if not shown:
        return []
    fig, axes = new_figure(height=1 + 0.17 * len(shown), grid="x")
    losses, deviations = ([line[key] for line in shown] for key in ("loss", "deviation"))
    bars(axes, [line["feature"] for line in shown], losses, xerr=deviations)
    left = len(result.importance) - len(shown)
    more = f"; the {left} that matter less are not shown" if left else ""
    return [figure(fig, f"{result.loss}{more}.", "Importance")]
