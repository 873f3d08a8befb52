"""Search, fit the best candidate on all training rows, and store it as a new version."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np

from ..files import file_digest, replacing, write_json, write_text
from ..preparation.split import CutFolds
from ..problem.metric import Metrics, all_metrics, select_metric
from ..problem.project import Project
from ..report import number, paragraph, table, write_card
from . import fit_rows, store
from .candidate import Candidates
from .learnt import Learnt
from .trial import Trial

LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")


def train(
    project: Project, candidates: Candidates, cut_folds: CutFolds, metrics: Metrics
) -> str:
    """Write a new version: model.skops, schema.json, run.json and what step 8 compares with.

    Reads data/prepared. The version appears whole or not at all.

    Raises
    ------
    UserError
        If no candidate could be judged in time, or one fails.
    """
    definition = project.definition
    known = all_metrics(definition.problem.type, metrics)
    metric = select_metric(definition.problem.metric, known)
    learn = fit_rows.learn
    if definition.problem.of_series:
        from .backtest import learn  # needs statsmodels
    learnt = learn(project, candidates, metric, cut_folds)
    result, best = learnt.result, learnt.result.leaderboard[0]

    version = store.new_version(project.models)
    record = {
        "version": version,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": best.candidate,
        "settings": best.settings,
        "metric": definition.problem.metric,
        "judged_by": learnt.judged_by,
        "leaderboard": _lines(result.leaderboard),
        "trials": _lines(result.trials),
        "measured": best.measured,
        "left_out": result.left_out,
        "training_rows": len(learnt.keys),
        "fit_seconds": learnt.fit_seconds,
        "search_seconds": learnt.search_seconds,
        "data": {n: file_digest(project.prepared / f"{n}.parquet") for n in ("train", "test")},
        "definition": definition.model_dump(),
        "versions": {"python": platform.python_version(), **{n: installed(n) for n in LIBRARIES}},
    }
    _store(project.models / version, learnt, record, crossed=definition.split_by() == "none")
    score = f"{metric.title} {number(best.mean)} ± {number(best.std)}"
    summary = f"{best.candidate} is best: {score} in {learnt.judged_by}"
    unjudged = result.left_out.keys() - {trial.candidate for trial in result.leaderboard}
    if unjudged:
        summary += f"; left out: {', '.join(sorted(unjudged))}"
    _write_card(project.reports, summary, known, record)
    return f"{summary} (version {version})"


def _store(folder: Path, learnt: Learnt, record: dict[str, Any], *, crossed: bool) -> None:
    with replacing(folder) as temporary:
        temporary.mkdir()
        store.save_pipeline(learnt.pipeline, temporary / store.MODEL)
        if learnt.test_forecasts is not None:
            learnt.test_forecasts.to_parquet(temporary / store.TEST_FORECASTS)
        write_text(temporary / store.SCHEMA, learnt.schema.model_dump_json(indent=2) + "\n")
        np.save(temporary / store.KEYS, learnt.keys)
        learnt.reference.to_parquet(temporary / store.REFERENCE)
        if crossed and not learnt.result.predictions.empty:
            # No rows are kept apart, so it is these that tell how good the model is.
            learnt.result.predictions.to_parquet(temporary / store.OUT_OF_FOLD)
        record["model_megabytes"] = (temporary / store.MODEL).stat().st_size / 1e6
        write_json(temporary / store.RUN, record)


def _lines(trials: list[Trial]) -> list[dict[str, Any]]:
    return [
        {
            "model": trial.candidate,
            "cv_mean": trial.mean,
            "cv_std": trial.std,
            "fit_seconds": float(np.mean(trial.fit_seconds)),
            "settings": trial.settings,
            **{name: numbers["value"] for name, numbers in trial.measured.items()},
        }
        for trial in trials
    ]


def _write_card(
    reports: Path, summary: str, metrics: Metrics, record: dict[str, Any]
) -> None:
    title = metrics[record["metric"]].title
    rows = [
        {
            "candidate": line["model"],
            f"{title}, mean of the folds": line["cv_mean"],
            "deviation": line["cv_std"],
            **{_title(n, metrics): line[n] for n in record["measured"] if n != record["metric"]},
            "seconds to fit": line["fit_seconds"],
            "settings": ", ".join(f"{k} {v}" for k, v in line["settings"].items()) or "default",
        }
        for line in record["leaderboard"]
    ]
    left_out = [paragraph(f"{name}: {why}.") for name, why in record["left_out"].items()]
    write_card(reports, "train", summary, table(rows, mark=record["model"]), *left_out)


def _title(measured: str, metrics: Metrics) -> str:
    return metrics[measured].title if measured in metrics else measured
