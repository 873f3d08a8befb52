"""Open the test set for the newest version, judge it, and write down what came out."""

import statistics
import time
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import UserError
from ..files import read_frame, read_json, replacing, write_json, write_text
from ..modeling import store
from ..modeling.encoded import features_and_target
from ..modeling.predictor import Predictor, load_predictor
from ..modeling.search import few_threads
from ..plots import bars, new_figure
from ..preparation.split import GROUP, KEY
from ..problem import METRICS
from ..problem.project import Project
from ..report import columns, facts, figure, heading, notice, number, paragraph, table, write_card
from . import LOSS, checks, closer_look, figures, measure_baselines, outcome
from .bootstrap import measure
from .gate import judge
from .importance import measure_importance
from .model_card import model_card
from .slices import measure_slices

SHOWN_FEATURES = 15
UNSEEN = "the test set"
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
    train = read_frame(project.prepared / "train.parquet")
    test = read_frame(project.prepared / "test.parquet")
    features, target = features_and_target(test, predictor.schema)

    answers = predictor.answer(features)
    judged = predictor.measurable(answers, features)
    measured = measure(target, judged, definition.search.seed, group=test.get(GROUP))
    measured |= {name: x for name, x in run["measured"].items() if name not in measured}
    if definition.problem.metric not in measured:
        raise UserError(
            f"[problem] metric {definition.problem.metric} is not defined on the {len(test):,} "
            "test rows; choose another, or change [split]."
        )
    baselines = measure_baselines(train, test, predictor, definition)
    importance = measure_importance(test, predictor, definition)
    costs = {
        "train_seconds": run["fit_seconds"],
        "model_megabytes": run["model_megabytes"],
        "predict_milliseconds": _milliseconds(predictor),
    }
    results = {
        "problem": definition.problem.type,
        "metric": definition.problem.metric,
        "version": predictor.version,
        "model": run["model"],
        "test": measured,
        "baseline": next(iter(baselines.values()), {}),
        "baselines": baselines,
        "leaderboard": run["leaderboard"],
        "gate": judge(measured, baselines, costs, checks(test, measured, definition), definition),
        "costs": costs,
        "outcome": outcome(target, judged, predictor, definition),
        "slices": measure_slices(test, judged, predictor.schema, definition),
        "importance": importance.to_dict("records"),
        "test_rows": len(test),
        "tested_on": "all rows" if test[KEY].isin(train[KEY]).all() else UNSEEN,
        "test_opened": _times_opened(project.models, run["data"]["test"], predictor.version),
    }
    kept = answers.sample(min(len(answers), KEPT_ANSWERS), random_state=definition.search.seed)
    with replacing(folder / store.ANSWERS) as path:
        kept.to_parquet(path)
    write_text(folder / store.CARD, model_card(results, run, predictor.schema, definition))
    write_json(folder / store.METRICS, results)
    write_json(project.reports / "metrics.json", results)
    summary = _summary(results)
    plots = figures(target, judged, predictor, definition)
    further = closer_look(target, judged, predictor, definition)
    _write_card(project.reports, summary, results, plots, further)
    return summary


def _milliseconds(predictor: Predictor) -> float:
    """Return the median time of answering one typical row."""
    row = pd.DataFrame([{column.name: column.example for column in predictor.schema.inputs}])
    seconds = []
    with few_threads(len(row)):
        for _ in range(20):
            started = time.perf_counter()
            predictor.predict(row)
            seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


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


def _write_card(
    reports: Path, summary: str, results: dict[str, Any], plots: list[str], further: list[str]
) -> None:
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
        heading(_tested(results)),
        *(often if opened > 3 and results["tested_on"] == UNSEEN else []),
        table(metrics),
        facts(results["outcome"]),
        columns(*plots, _importance(results)),
        *further,
        heading(f"{METRICS[results['metric']].title} by slice"),
        table(results["slices"]) if results["slices"] else paragraph("No column has few values."),
    )


def _tested(results: dict[str, Any]) -> str:
    if results["tested_on"] == UNSEEN:
        return f"The test set: {results['test_rows']:,} rows that no model has seen"
    return f"All {results['test_rows']:,} rows, from which the model has learnt as well"


def _importance(results: dict[str, Any]) -> str:
    shown = results["importance"][:SHOWN_FEATURES]
    plot, axes = new_figure(height=1 + 0.17 * len(shown), grid="x")
    losses = [line["loss"] for line in shown]
    bars(axes, [line["feature"] for line in shown], losses, xerr=[x["deviation"] for x in shown])
    left = len(results["importance"]) - len(shown)
    more = f"; the {left} that matter less are not shown" if left else ""
    loss = LOSS.format(metric=METRICS[results["metric"]].title)
    return figure(plot, f"{loss}{more}.", "Importance")
