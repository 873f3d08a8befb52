"""The part of drift.py that runs inside a project: rows from a source, and `monitor` on them."""

import json
import sys
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pandas as pd
from my_model.deployment.prediction_log import FEEDBACK, PREDICTIONS, TABLES, open_log
from my_model.improvement.monitor import monitor
from my_model.modeling.predictor import load_predictor
from my_model.modeling.store import champion_folder
from my_model.problem.project import open_project

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
    predictor, engine = load_predictor(champion_folder(project.models)), open_log(project)
    TABLES.create_all(engine)
    generator = np.random.default_rng([seed, 1])
    false, seen = 0, 0
    why: list[str] = []
    for run in range(quiet + moved):
        frame = draw(generator, WATCHED)
        truth = frame.pop("target")
        if run >= quiet:
            numbers = [name for name in frame if name.startswith(("normal", "skewed", "count"))]
            name = numbers[run % len(numbers)]
            frame[name] += frame[name].std() / 2
        answers, now = predictor.predict(frame), datetime.now(UTC).replace(tzinfo=None)
        with engine.begin() as connection:
            connection.execute(PREDICTIONS.delete())
            connection.execute(FEEDBACK.delete())
            ids = [uuid4().hex for _ in truth]
            asked, said = (
                f.to_json(orient="records", lines=True).splitlines() for f in (frame, answers)
            )
            rows = zip(ids, asked, said, strict=True)
            connection.execute(
                PREDICTIONS.insert(),
                [
                    {"id": i, "at": now, "version": predictor.version, "inputs": a, "answer": s}
                    for i, a, s in rows
                ],
            )
            connection.execute(
                FEEDBACK.insert(),
                [
                    {"prediction": i, "at": now, "actual": json.dumps(t)}
                    for i, t in zip(ids, truth, strict=True)
                ],
            )
        watched = monitor(project)
        if run < quiet:
            false += bool(watched.alarms)
            why += watched.alarms
        else:
            seen += any(f'"{name}" has drifted' in alarm for alarm in watched.alarms)
    return {"false alarms": false, "seen": seen, "why": why}


if __name__ == "__main__":
    what, number, *rest = sys.argv[1:]
    if what == "write":
        draw(np.random.default_rng([int(number), 0]), ROWS).to_csv(rest[0], index=False)
    else:
        print(json.dumps(watch(int(number), *map(int, rest))))
