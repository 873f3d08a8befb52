"""Search, fit the best candidate on all training rows, and store it as a new version."""

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from ..files import file_digest, replacing, write_json, write_text
from ..preparation.schema import Schema, read_schema
from ..preparation.split import DATE, KEY, cut_folds
from ..problem import METRICS
from ..problem.project import Project
from ..report import number, paragraph, table, write_card
from . import learn_decision, store
from .search import SearchResult, build_pipeline, features_and_target, fit, search

REFERENCE_ROWS = 5000  # what drift is measured against; more would not change a test's answer
LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")


def train(project: Project) -> str:
    """Write a new version: model.skops, schema.json, run.json and what step 8 compares with.

    Reads data/prepared. The version appears whole or not at all.

    Raises
    ------
    UserError
        If no candidate could be judged in time, or one fails.
    """
    definition = project.definition
    schema = read_schema(project.prepared / "schema.json")
    rows = pd.read_parquet(project.prepared / "train.parquet")
    if DATE in rows:
        rows = rows.sort_values(DATE, kind="stable")
    started = time.monotonic()
    result = search(rows, schema, cut_folds(rows, definition), definition)
    search_seconds = time.monotonic() - started

    best = result.leaderboard[0]
    pipeline = build_pipeline(best.candidate, best.settings, schema, definition)
    started = time.monotonic()
    fit(pipeline, rows, schema)
    fit_seconds = time.monotonic() - started
    _use_one_core(pipeline)
    judged = rows.loc[result.answers.index, schema.target]
    schema.decision = learn_decision(judged, result.answers, definition)

    version = store.new_version(project.models)
    record = {
        "version": version,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": best.candidate,
        "settings": best.settings,
        "metric": definition.problem.metric,
        "leaderboard": _leaderboard(result),
        "left_out": result.left_out,
        "training_rows": len(rows),
        "fit_seconds": fit_seconds,
        "search_seconds": search_seconds,
        "data": {n: file_digest(project.prepared / f"{n}.parquet") for n in ("train", "test")},
        "definition": definition.model_dump(),
        "versions": {"python": platform.python_version(), **{n: installed(n) for n in LIBRARIES}},
    }
    _store(project.models / version, pipeline, schema, rows, record)
    title = METRICS[definition.problem.metric].title
    score = f"{title} {number(best.mean)} ± {number(best.std)}"
    summary = f"{best.candidate} is best: {score} in cross-validation"
    _write_card(project.reports, summary, title, record)
    return f"{summary} (version {version})"


def _use_one_core(pipeline: Pipeline) -> None:
    """Training takes all cores; an answer is quicker, and kinder to its neighbours, on one."""
    parameters = pipeline.get_params()
    pipeline.set_params(**{key: 1 for key in parameters if key.endswith("n_jobs")})


def _store(
    folder: Path, pipeline: Pipeline, schema: Schema, rows: pd.DataFrame, record: dict[str, Any]
) -> None:
    features, _ = features_and_target(rows, schema)
    seed = record["definition"]["search"]["seed"]
    reference = features.sample(min(len(features), REFERENCE_ROWS), random_state=seed)
    with replacing(folder) as temporary:
        temporary.mkdir()
        store.save_pipeline(pipeline, temporary / store.MODEL)
        write_text(temporary / store.SCHEMA, schema.model_dump_json(indent=2) + "\n")
        np.save(temporary / store.KEYS, rows[KEY].to_numpy("uint64"))
        reference.to_parquet(temporary / store.REFERENCE)
        record["model_megabytes"] = (temporary / store.MODEL).stat().st_size / 1e6
        write_json(temporary / store.RUN, record)


def _leaderboard(result: SearchResult) -> list[dict[str, Any]]:
    return [
        {
            "model": trial.candidate,
            "cv_mean": trial.mean,
            "cv_std": trial.std,
            "fit_seconds": float(np.mean(trial.fit_seconds)),
            "settings": trial.settings,
        }
        for trial in result.leaderboard
    ]


def _write_card(reports: Path, summary: str, title: str, record: dict[str, Any]) -> None:
    rows = [
        {
            "candidate": line["model"],
            f"{title}, mean of the folds": line["cv_mean"],
            "deviation": line["cv_std"],
            "seconds to fit": line["fit_seconds"],
            "settings": ", ".join(f"{k} {v}" for k, v in line["settings"].items()) or "default",
        }
        for line in record["leaderboard"]
    ]
    left_out = [paragraph(f"{name}: {why}.") for name, why in record["left_out"].items()]
    write_card(reports, "train", summary, table(rows, mark=record["model"]), *left_out)
