"""The loop at work: a concept that changes under a running service, and rounds that are killed."""

import csv
import json
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, REPOSITORY, Environment, Template
from stream import POSITIVE, TARGET, ask, roc_auc, stream

pytestmark = pytest.mark.slow

TRAIN, OLD, NEW, PART, LATE = 1500, 800, 3200, 400, 1
KILLS = 20


def change(project: Path, **settings: str) -> None:
    """Change keys of project.toml; the values are TOML."""
    path = project / "project.toml"
    text = path.read_text(encoding="utf-8")
    for key, value in settings.items():
        text, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert found == 1, key
    path.write_text(text, encoding="utf-8")


def champion(project: Path) -> str:
    pointer = json.loads((project / "models" / "champion.json").read_text(encoding="utf-8"))
    return str(pointer["version"])


def history(project: Path) -> list[dict[str, Any]]:
    lines = (project / "models" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_changed_concept_is_noticed_and_learnt(
    template: Template, environment: Environment, tmp_path: Path
) -> None:
    project = template.cookiecutter(tmp_path)

    def command(*arguments: str) -> None:
        environment.run(project, "python", "-m", PACKAGE, *arguments)

    def learn(data: Path) -> None:
        command("define", "--data", str(data), "--target", TARGET)
        change(project, positive='"late"', candidates='["boosting"]', method='"none"', folds="3")
        change(project, newest_rows=str(TRAIN), predict_milliseconds="36000", truth='"truth.csv"')
        change(project, retrain='["drift", "decay", "labels"]', new_labels="400")
        command("run")

    def score() -> float:
        command("predict", str(tmp_path / "test.csv"), str(tmp_path / "scored.csv"))
        with (tmp_path / "scored.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return roc_auc([float(row[POSITIVE]) for row in rows], [row[TARGET] for row in rows])

    script = str(REPOSITORY / "benchmarks" / "flights.py")
    environment.run(project, "python", script, str(tmp_path), str(TRAIN), str(OLD), str(NEW))
    learn(tmp_path / "train.csv")
    without = score()
    lines = (tmp_path / "stream.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
    with environment.serve(project) as address:
        batches = stream(project, address, parts, LATE, lambda: command("improve"))
    reached = score()

    assert not any(batch.alarms for batch in batches if batch.start < OLD)
    seen = next(batch for batch in batches if batch.alarms)
    # The inputs tell before the first truth is back. The errors need not rise after that: a round
    # may have learnt the new concept before they do.
    assert seen.start + PART - OLD <= 2 * PART
    page = (project / "reports" / "index.html").read_text(encoding="utf-8")
    assert "a dashed line is a change of the champion" in page

    (project / "data" / "raw" / "labelled.parquet").unlink()  # learn from the new ones alone
    learn(tmp_path / "new.csv")
    reference = score()
    assert reference - reached <= 0.02 < reference - without


def test_a_round_that_is_killed_at_any_moment_is_made_good_by_the_next(
    finished: Callable[[str], Path], environment: Environment, tmp_path: Path
) -> None:
    project = shutil.copytree(finished("classification"), tmp_path / "my-model")
    change(project, candidates='["logistic"]', method='"none"', folds="3", confidence="0.5")
    dice = random.Random(0)  # noqa: S311 -- nothing here is secret

    def start(seed: int) -> subprocess.Popen[bytes]:
        change(project, seed=str(seed))  # another model, which may be better
        return subprocess.Popen(
            [environment.path / "bin" / "python", "-m", PACKAGE, "improve"],
            cwd=project,
            env=environment.variables(project),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    started = time.monotonic()
    assert start(1000).wait(120) == 0
    whole = time.monotonic() - started
    with environment.serve(project) as address:
        row = ask(f"{address}/model")["example"]
        for kill in range(KILLS):
            process = start(kill)
            time.sleep(dice.uniform(0, whole))
            process.send_signal(signal.SIGKILL)
            process.wait(60)
            assert (project / "models" / champion(project) / "model.skops").is_file()
            assert all(line["reason"] for line in history(project))
            assert ask(f"{address}/predict", {"rows": [row]})["predictions"]
        done = environment.run(project, "python", "-m", PACKAGE, "improve")
    assert "champion stays" in done.stdout or "promoted" in done.stdout
    lines = history(project)
    served = [line["champion"] for line in lines if line["event"] in {"promoted", "rolled back"}]
    assert served[-1] == champion(project)
    versions = sorted(path.parent.name for path in (project / "models").glob("[0-9]*/run.json"))
    decided = {
        line[key] for line in lines if line["event"] != "waited" for key in ("champion", "other")
    }
    assert versions[-1] in decided
    again = environment.run(project, "python", "-m", PACKAGE, "improve")
    assert "nothing new to learn from" in again.stdout
