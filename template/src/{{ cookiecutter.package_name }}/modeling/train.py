"""Search, fit the best candidate on all training rows, and store it as a new version."""

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from ..files import file_digest, read_frame, release_memory, replacing, write_json, write_text
from ..preparation.schema import Schema, read_schema
from ..preparation.split import DATE, KEY, cut_folds
from ..problem import METRICS
from ..problem.columns import column_of
from ..problem.definition import Definition
from ..problem.project import Project
from ..report import number, paragraph, table, write_card
from . import learn_decision, remember, store
from .encoded import encode_training, features_and_target
from .search import build_estimator, few_threads, fit, search
from .trial import Trial

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
    rows = read_frame(project.prepared / "train.parquet")
    if DATE in rows:
        rows = rows.sort_values(DATE, kind="stable")
    started = time.monotonic()
    with few_threads(len(rows)):
        result = search(rows, schema, cut_folds(rows, definition), definition)
    search_seconds = time.monotonic() - started
    judged = column_of(rows, schema.target).loc[result.answers.index]
    schema.decision = learn_decision(judged, result.answers, definition)

    best = result.leaderboard[0]
    estimator = build_estimator(best.candidate, best.settings, definition)
    keys, reference = rows[KEY].to_numpy("uint64"), _reference(rows, schema, definition)
    encoded = encode_training(rows, schema, definition)
    del rows  # as numbers they may fill the memory twice
    release_memory()
    with few_threads(len(keys)):
        fit_seconds = fit(estimator, encoded)
    _use_one_core(estimator)
    pipeline = Pipeline([("encoder", encoded.encoder), ("estimator", estimator)])
    schema.decision |= remember(pipeline, reference, schema)

    version = store.new_version(project.models)
    record = {
        "version": version,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": best.candidate,
        "settings": best.settings,
        "metric": definition.problem.metric,
        "leaderboard": _lines(result.leaderboard),
        "trials": _lines(result.trials),
        "measured": best.measured,
        "left_out": result.left_out,
        "training_rows": len(keys),
        "fit_seconds": fit_seconds,
        "search_seconds": search_seconds,
        "data": {n: file_digest(project.prepared / f"{n}.parquet") for n in ("train", "test")},
        "definition": definition.model_dump(),
        "versions": {"python": platform.python_version(), **{n: installed(n) for n in LIBRARIES}},
    }
    _store(project.models / version, pipeline, schema, keys, reference, record)
    title = METRICS[definition.problem.metric].title
    score = f"{title} {number(best.mean)} ± {number(best.std)}"
    summary = f"{best.candidate} is best: {score} in cross-validation"
    unjudged = result.left_out.keys() - {trial.candidate for trial in result.leaderboard}
    if unjudged:
        summary += f"; left out: {', '.join(sorted(unjudged))}"
    _write_card(project.reports, summary, title, record)
    return f"{summary} (version {version})"


def _reference(rows: pd.DataFrame, schema: Schema, definition: Definition) -> pd.DataFrame:
    features, _ = features_and_target(rows, schema)
    number = min(len(features), REFERENCE_ROWS)
    return features.sample(number, random_state=definition.search.seed)


def _use_one_core(estimator: BaseEstimator) -> None:
    """Training takes all cores; an answer is quicker, and kinder to its neighbours, on one."""
    parameters = estimator.get_params()
    estimator.set_params(**{key: 1 for key in parameters if key.endswith("n_jobs")})


def _store(
    folder: Path,
    pipeline: Pipeline,
    schema: Schema,
    keys: np.ndarray,
    reference: pd.DataFrame,
    record: dict[str, Any],
) -> None:
    with replacing(folder) as temporary:
        temporary.mkdir()
        store.save_pipeline(pipeline, temporary / store.MODEL)
        write_text(temporary / store.SCHEMA, schema.model_dump_json(indent=2) + "\n")
        np.save(temporary / store.KEYS, keys)
        reference.to_parquet(temporary / store.REFERENCE)
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


def _write_card(reports: Path, summary: str, title: str, record: dict[str, Any]) -> None:
    rows = [
        {
            "candidate": line["model"],
            f"{title}, mean of the folds": line["cv_mean"],
            "deviation": line["cv_std"],
            **{METRICS[n].title: line[n] for n in record["measured"] if n != record["metric"]},
            "seconds to fit": line["fit_seconds"],
            "settings": ", ".join(f"{k} {v}" for k, v in line["settings"].items()) or "default",
        }
        for line in record["leaderboard"]
    ]
    left_out = [paragraph(f"{name}: {why}.") for name, why in record["left_out"].items()]
    write_card(reports, "train", summary, table(rows, mark=record["model"]), *left_out)
