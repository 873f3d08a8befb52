"""Search, fit the best candidate on all training rows, and store it as a new version."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np

from ..files import file_digest, replacing, write_json, write_text
from ..preparation.schema import read_schema
from ..preparation.split import CutFolds
from ..problem.metric import Metrics, all_metrics, select_metric
from ..problem.project import Project
from ..report import number, paragraph, table, write_card
from . import store
from .search import Candidates, FittedModel, Trial

LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")


def train(
    project: Project,
    candidates: Candidates,
    cut_folds: CutFolds,
    metrics: Metrics,
    trusted: Sequence[str] | None = None,
) -> str:
    """Write a new version: model.skops, schema.json, run.json and what step 8 compares with.

    Reads data/prepared. The version appears whole or not at all.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    candidates : dict of str to Candidate
        Those that [models] candidates can name.
    cut_folds : function of DataFrame and Definition
        Returns the folds of cross-validation, from the columns that are not features.
    metrics : dict of str to Metric
        Those of the project, added to the standard ones.
    trusted : sequence of str, optional
        What the project gives to `load_predictor`. Where it is given, a candidate that could be
        stored but not loaded is an error before anything is fitted.

    Returns
    -------
    str
        A sentence for the command line: the best candidate and its score.

    Raises
    ------
    UserError
        If no candidate could be scored in time, or one is made of a class that is not trusted.
    """
    definition = project.definition
    known = all_metrics(definition.problem.type, metrics)
    metric = select_metric(definition.problem.metric, known)
    if trusted is not None:
        _check_trusted(project, candidates, trusted)
    if definition.problem.of_series:
        from .backtest import fit_best  # needs statsmodels
    else:
        from .fit_rows import fit_best
    model = fit_best(project, candidates, known, cut_folds)
    result, best = model.result, model.result.leaderboard[0]

    version = store.new_version(project.models)
    record = {
        "version": version,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": best.candidate,
        "settings": best.settings,
        "metric": definition.problem.metric,
        "scored_by": model.scored_by,
        "leaderboard": _lines(result.leaderboard),
        "trials": _lines(result.trials),
        "measured": best.measured,
        "left_out": result.left_out,
        "baselines": model.baselines,
        "training_rows": len(model.keys),
        "fit_seconds": model.fit_seconds,
        "search_seconds": model.search_seconds,
        "data": {n: file_digest(project.prepared / f"{n}.parquet") for n in ("train", "test")},
        "definition": definition.model_dump(),
        "versions": {"python": platform.python_version(), **{n: installed(n) for n in LIBRARIES}},
    }
    _store(project.models / version, model, record, crossed=definition.split_by() == "none")
    score = f"{metric.title} {number(best.mean)} ± {number(best.std)}"
    summary = f"{best.candidate} is best: {score} in {model.scored_by}"
    unscored = result.left_out.keys() - {trial.candidate for trial in result.leaderboard}
    if unscored:
        summary += f"; left out: {', '.join(sorted(unscored))}"
    _write_card(project.reports, summary, known, record)
    return f"{summary} (version {version})"


def _check_trusted(project: Project, candidates: Candidates, trusted: Sequence[str]) -> None:
    """Check what the candidates and their encoders are made of, while they are not fitted."""
    features = read_schema(project.prepared / "schema.json").features
    for name in project.definition.models.candidates:
        if name in candidates:
            candidate = candidates[name]
            parts = [candidate.estimator]
            if candidate.encoder:
                parts.append(candidate.encoder(features, project.definition))
            store.check_trusted(name, parts, trusted)


def _store(folder: Path, model: FittedModel, record: dict[str, Any], *, crossed: bool) -> None:
    with replacing(folder) as temporary:
        temporary.mkdir()
        store.save_pipeline(model.pipeline, temporary / store.MODEL)
        write_text(temporary / store.SCHEMA, model.schema.model_dump_json(indent=2) + "\n")
        np.save(temporary / store.KEYS, model.keys)
        model.reference.to_parquet(temporary / store.REFERENCE)
        if model.test_forecasts is not None:
            model.test_forecasts.to_parquet(temporary / store.TEST_FORECASTS)
        if crossed and not model.result.predictions.empty:
            # There is no test set apart, so these are what the model is tested on.
            model.result.predictions.to_parquet(temporary / store.OUT_OF_FOLD)
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


def _write_card(reports: Path, summary: str, metrics: Metrics, record: dict[str, Any]) -> None:
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
