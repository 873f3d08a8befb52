"""Search, fit the best candidate on all training rows, and store it as a new version."""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from ..files import PRIVATE, file_digest, replacing, write_json, write_text
from ..preparation.split import CutFolds
from ..problem.metric import Metrics, all_metrics, select_metric
from ..problem.project import Project
from ..problem.sample import read_sample
from ..report import number, paragraph, table, write_card
from . import store
from .parallel import on_cluster
from .search import Candidates, FittedModel, Trial

Made = Iterable[tuple[str, list[Any]]]  # what a candidate is made of, by its name

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
        stored but not loaded is an error before the search begins.

    Returns
    -------
    str
        A sentence for the command line: the best candidate and its score.

    Raises
    ------
    UserError
        If no candidate could be scored in time, or one is made of a class that is not trusted.

    Examples
    --------
    The step of a project's ``pipeline.py``::

        def train(project: Project) -> str:
            return mlsteps.modeling.train(project, CANDIDATES, cut_folds, METRICS, TRUSTED)
    """
    definition = project.definition
    known = all_metrics(definition.problem.type, metrics)
    select_metric(definition.problem.metric, known)  # an error before the search, if there is none
    named = {n: candidates[n] for n in definition.models.candidates if n in candidates}
    # Whoever has fitted one in place changes neither what is tried nor what is sent to workers.
    named = {n: replace(one, estimator=clone(one.estimator)) for n, one in named.items()}
    if definition.problem.of_series:
        from .backtest import fit_best  # needs statsmodels

        made: Made = ((name, [one.estimator]) for name, one in named.items())
    else:
        from .fit_rows import fit_best, fit_to_few

        made = fit_to_few(project, named)
    if trusted is not None:
        for name, parts in made:
            store.check_trusted(name, parts, trusted)
    with on_cluster(definition.compute, cut_folds.__module__.partition(".")[0]):
        model = fit_best(project, candidates | named, known, cut_folds)
    result, best = model.result, model.result.leaderboard[0]
    compared_by = model.chosen_by or definition.problem.metric

    version = store.new_version(project.models)
    record = {
        "version": version,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": best.candidate,
        "settings": best.settings,
        "metric": compared_by,
        "scored_by": model.scored_by,
        "leaderboard": [_line(trial) for trial in result.leaderboard],
        "trials": [_line(trial) for trial in result.trials],
        "measured": best.measured,
        "left_out": result.left_out,
        "seconds": result.seconds,
        "weights": next((t.settings for t in result.leaderboard if t.members), {}),
        "warned": model.warned,
        "baselines": model.baselines,
        "choice": model.choice,
        "all_rows": model.all_rows,
        "training_rows": len(model.keys),
        "fit_seconds": model.fit_seconds,
        "search_seconds": model.search_seconds,
        "data": {n: file_digest(project.prepared / f"{n}.parquet") for n in ("train", "test")},
        "definition": definition.model_dump(),
        "versions": {"python": platform.python_version(), **{n: installed(n) for n in LIBRARIES}},
    }
    if sample := read_sample(project.prepared):
        record["sample"] = sample.record()
    with replacing(project.models / version) as folder:
        folder.mkdir()
        _store(folder, model, record, out_of_fold=definition.split_by() == "none")
    score = f"{known[compared_by].title} {number(best.mean)} ± {number(best.std)}"
    beaten = any(known[compared_by].gain(trial.mean, best.mean) > 0 for trial in result.leaderboard)
    verdict = "is best" if model.chosen_by and not beaten else "is taken"
    summary = f"{best.candidate} {verdict}: {score} in {model.scored_by}"
    scored = {trial.candidate for trial in result.leaderboard}
    left_out = [f"left out: {n}, {why}" for n, why in result.left_out.items() if n not in scored]
    warned = [f"the fit of {best.candidate} warns: {said}" for said in model.warned]
    _write_card(project.reports, summary, known, record)
    chosen = [said for said in (model.choice.get("said"), model.all_rows) if said]
    return "\n".join([f"{summary} (version {version})", *chosen, *left_out, *warned])


def _store(folder: Path, model: FittedModel, record: dict[str, Any], *, out_of_fold: bool) -> None:
    store.save_pipeline(model.pipeline, folder / store.MODEL)
    write_text(folder / store.SCHEMA, model.schema.model_dump_json(indent=2) + "\n")
    np.save(folder / store.KEYS, model.keys)
    (folder / store.REFERENCE).touch(PRIVATE)
    model.reference.to_parquet(folder / store.REFERENCE)
    if model.test_forecasts is not None:
        model.test_forecasts.to_parquet(folder / store.TEST_FORECASTS)
    if out_of_fold and not model.result.predictions.empty:
        # There is no test set apart, so these are what the model is tested on.
        model.result.predictions.to_parquet(folder / store.OUT_OF_FOLD)
    record["model_megabytes"] = (folder / store.MODEL).stat().st_size / 1e6
    write_json(folder / store.RUN, record)


def _line(trial: Trial) -> dict[str, Any]:
    return {
        "model": trial.candidate,
        "cv_mean": trial.mean,
        "cv_std": trial.std,
        "fit_seconds": float(np.mean(trial.fit_seconds)),
        "settings": trial.settings,
        **{name: numbers["value"] for name, numbers in trial.measured.items()},
    }


def _write_card(reports: Path, summary: str, metrics: Metrics, record: dict[str, Any]) -> None:
    titles = {name: metric.title for name, metric in metrics.items()}
    ensembles = {"weight in the ensemble": record["weights"]} if record["weights"] else {}
    others = [name for name in record["measured"] if name != record["metric"]]
    rows = [
        {
            "candidate": line["model"],
            f"{titles[record['metric']]}, mean of the folds": line["cv_mean"],
            "deviation": line["cv_std"],
            **{titles.get(name, name): line[name] for name in others},
            "seconds to fit": line["fit_seconds"],
            "in the search": record["seconds"].get(line["model"], ""),
            **{n: w.get(line["model"], "") for n, w in ensembles.items()},
            "settings": ", ".join(f"{k} {v}" for k, v in line["settings"].items()) or "default",
        }
        for line in record["leaderboard"]
    ]
    notes = [said for said in (record["choice"].get("said"), record["all_rows"]) if said]
    notes += [f"{name}: {why}" for name, why in record["left_out"].items()]
    notes += [f"The fit of {record['model']} warns: {why}" for why in record["warned"]]
    said = [paragraph(f"{note}.") for note in notes]
    write_card(reports, "train", summary, table(rows, mark=record["model"]), *said)
