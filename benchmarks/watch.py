"""The part of drift.py that runs inside a project: rows from a source, and `monitor` on them."""

import json
import sys
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pandas as pd
from mlsteps import Project, open_project
from mlsteps.deployment.log_tables import FEEDBACK, PREDICTIONS, TABLES
from mlsteps.deployment.prediction_log import open_log, prediction_rows, write_rows
from mlsteps.improvement import monitor
from mlsteps.modeling.store import champion_folder
from my_model.improvement.policy import POLICY
from my_model.modeling.predictor import load_model
from my_model.problem.metrics import METRICS
from sqlalchemy import Engine

ROWS, WATCHED = 4000, 1000
MISSING = 0.1


def draw(generator: np.random.Generator, rows: int) -> pd.DataFrame:
    """Return rows of 20 columns and a target that depends on some of them."""
    columns: dict[str, np.ndarray] = {}
    for k in range(4):
        columns[f"normal{k}"] = generator.normal(size=rows)
        columns[f"skewed{k}"] = generator.lognormal(size=rows).round(2)
        columns[f"count{k}"] = generator.poisson(3, rows).astype(float)
        columns[f"label{k}"] = generator.choice(
            list("abcdef"), rows, p=[0.4, 0.3, 0.2, 0.07, 0.02, 0.01]
        )
        columns[f"place{k}"] = generator.zipf(1.6, rows).clip(max=60).astype(str)
    frame = pd.DataFrame(columns)
    for name in ("normal3", "skewed3", "label3"):
        frame[name] = frame[name].mask(generator.random(rows) < MISSING)
    frame["place0"] = "p" + frame["place0"]
    score = frame["normal0"] + frame["count0"] / 3 - 1 + (frame["label0"] == "b")
    chance = 1 / (1 + np.exp(-score))
    return frame.assign(target=np.where(generator.random(rows) < chance, "yes", "no"))


def watch(seed: int, quiet: int, moved: int) -> dict[str, object]:
    """Return how many alarms there were, without a cause and with one."""
    project = open_project()
    with open_log(project) as log:
        return watch_log(project, log, seed, quiet, moved)


def watch_log(
    project: Project, log: Engine, seed: int, quiet: int, moved: int
) -> dict[str, object]:
    """Put predictions into the log again and again, and look at them."""
    predictor = load_model(champion_folder(project.models))
    TABLES.create_all(log)
    generator = np.random.default_rng([seed, 1])
    false, seen = 0, 0
    why: list[str] = []
    for run in range(quiet + moved):
        frame = draw(generator, WATCHED)
        actual = frame.pop("target")
        if run >= quiet:
            numbers = [name for name in frame if name.startswith(("normal", "skewed", "count"))]
            name = numbers[run % len(numbers)]
            frame[name] += frame[name].std() / 2
        predictions, now = predictor.predict(frame), datetime.now(UTC).replace(tzinfo=None)
        ids = [uuid4().hex for _ in actual]
        made = prediction_rows(
            predictor.version,
            frame.astype(object).where(frame.notna(), None).to_dict("records"),
            dict(zip(ids, predictions.to_dict("records"), strict=True)),
            now,
        )
        labels = [
            {"prediction_id": key, "at": now, "actual": json.dumps(label)}
            for key, label in zip(ids, actual, strict=True)
        ]
        with log.begin() as connection:
            connection.execute(PREDICTIONS.delete())
            connection.execute(FEEDBACK.delete())
        write_rows(log, {PREDICTIONS: made, FEEDBACK: labels})
        found = monitor(project, METRICS, load_model, POLICY)
        if run < quiet:
            false += bool(found.alarms)
            why += found.alarms
        else:
            seen += any(f'"{name}" has drifted' in alarm for alarm in found.alarms)
    return {"false alarms": false, "seen": seen, "why": why}


if __name__ == "__main__":
    what, number, *rest = sys.argv[1:]
    if what == "write":
        draw(np.random.default_rng([int(number), 0]), ROWS).to_csv(rest[0], index=False)
    else:
        print(json.dumps(watch(int(number), *map(int, rest))))
