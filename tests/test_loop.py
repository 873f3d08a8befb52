"""The loop at work: a concept that changes under a running service, and rounds that are killed."""

import json
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, REPOSITORY, Environment, Template
from stream import PROBLEMS, SETTINGS, Caller, ask, read_parts

pytestmark = pytest.mark.slow

LATE, KILLS = 1, 20


@dataclass(frozen=True)
class Sizes:
    """How many rows are learnt from, streamed before and after the change, and sent at once."""

    train: int
    old: int
    new: int
    part: int
    candidate: str
    settings: dict[str, str]
    goal: float = 0.02  # how far behind the reference the loop may stay


DAY = 3 * 24  # rows: each hour at each of three airports
DAYS = {"newest_periods": str(14 * 24), "test_horizons": "4"}
SIZES = {
    "classification": Sizes(1500, 800, 3200, 800, "boosting", {"newest_rows": "1500"}),
    "regression": Sizes(1000, 500, 2000, 500, "ridge", {"newest_rows": "1000"}),
    # The reference learns from four newer days, whose truth came too late for the loop.
    "forecasting": Sizes(14 * DAY, 4 * DAY, 20 * DAY, 4 * DAY, "ridge", DAYS, goal=0.05),
}


def change(project: Path, **settings: str) -> None:
    """Change keys of project.toml; the values are TOML."""
    path = project / "project.toml"
    text = path.read_text(encoding="utf-8")
    for key, value in settings.items():
        text, found = re.subn(rf"(?m)^{key} = (\[[^\]]*\]|.*)$", f"{key} = {value}", text)
        assert found == 1, key
    path.write_text(text, encoding="utf-8")


def champion(project: Path) -> str:
    pointer = json.loads((project / "models" / "champion.json").read_text(encoding="utf-8"))
    return str(pointer["version"])


def history(project: Path) -> list[dict[str, Any]]:
    lines = (project / "models" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_changed_concept_is_noticed_and_learnt(
    name: str, template: Template, environment: Environment, tmp_path: Path
) -> None:
    problem, sizes = PROBLEMS[name], SIZES[name]
    project = template.cookiecutter(tmp_path, problem_type=name)

    def command(*arguments: str) -> None:
        environment.run(project, "python", "-m", PACKAGE, *arguments)

    def learn(data: Path) -> None:
        command("define", "--data", str(data), "--target", problem.target)
        change(project, **SETTINGS | problem.settings | sizes.settings)
        change(project, candidates=f'["{sizes.candidate}"]', new_labels=str(sizes.part))
        command("run")

    def judge() -> float:
        with environment.serve(project, PREDICTION_LOG="sqlite:///judged.db") as address:
            before = [row for part in parts for row in part]
            return Caller(project, address, problem).score(test, before)

    script = str(REPOSITORY / "benchmarks" / "flights.py")
    numbers = map(str, (sizes.train, sizes.old, sizes.new))
    environment.run(project, "python", script, str(tmp_path), name, *numbers)
    parts, test = (read_parts(tmp_path / f"{n}.jsonl", sizes.part) for n in ("stream", "test"))
    learn(tmp_path / "train.csv")
    without = judge()
    with environment.serve(project) as address:
        caller = Caller(project, address, problem)
        batches = caller.stream(parts, LATE, lambda: command("improve"))
    reached = judge()

    assert not any(batch.alarms for batch in batches if batch.start < sizes.old)
    seen = next(batch for batch in batches if batch.alarms)
    # The inputs tell before the first truth is back. The errors need not rise after that: a round
    # may have learnt the new concept before they do.
    assert seen.start + sizes.part - sizes.old <= 2 * sizes.part
    page = (project / "reports" / "index.html").read_text(encoding="utf-8")
    assert "a dashed line is a change of the champion" in page

    (project / "data" / "raw" / "labelled.parquet").unlink()  # learn from the new ones alone
    learn(tmp_path / "new.csv")
    reference = judge()
    behind, lost = (problem.sign * (reference - value) for value in (reached, without))
    assert behind <= sizes.goal < lost


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
