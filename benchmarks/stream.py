"""Stream the rows of flights.py through a service, bring their truth back late, and improve."""

import csv
import json
import math
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

SECONDS = 30  # that a service may take to serve a new champion
DAY = 24  # hours

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Problem:
    """What is asked of each problem type.

    Attributes
    ----------
    target
        The column to predict.
    metric
        What `measure` returns, in words. One point of it is 0.01, whatever the unit of the target.
    measure
        Takes what was answered and the truth of it.
    sign
        1 if more of it is better, else -1.
    settings
        Of project.toml, as TOML, beside those that all have.
    series
        Whether rows belong to series, which are continued.
    """

    target: str
    metric: str
    measure: Callable[[Rows, Sequence[Any]], float]
    sign: int
    settings: dict[str, str]
    series: bool = False


@dataclass(frozen=True)
class Batch:
    """Rows that were answered together.

    Attributes
    ----------
    start
        How many rows came before.
    value
        The metric of the answers.
    alarms
        What the loop saw afterwards.
    """

    start: int
    version: str
    value: float
    alarms: list[str]


def roc_auc(answers: Rows, truth: Sequence[str]) -> float:
    """Return the share of pairs of a late flight and another that are in the right order."""
    pairs = list(zip([answer["probability_late"] for answer in answers], truth, strict=True))
    late = [chance for chance, actual in pairs if actual == "late"]
    others = [chance for chance, actual in pairs if actual != "late"]
    won: float = sum((a > b) + (a == b) / 2 for a in late for b in others)
    return won / (len(late) * len(others))


def scaled_rmse(answers: Rows, truth: Sequence[float]) -> float:
    """Return the RMSE in units of the standard deviation of the truth: what their mean errs by."""
    squares = [(a["prediction"] - actual) ** 2 for a, actual in zip(answers, truth, strict=True)]
    return math.sqrt(fmean(squares)) / pstdev(truth)


def scaled_error(answers: Rows, truth: Sequence[float]) -> float:
    """Return the mean absolute error in units of what the same hour of the day before errs by."""
    pairs = list(zip(answers, truth, strict=True))
    errors = [abs(answer["prediction"] - actual) for answer, actual in pairs]
    ordered = sorted((answer["series"], answer["date"], actual) for answer, actual in pairs)
    changes = [
        abs(now[2] - before[2])
        for before, now in zip(ordered, ordered[DAY:], strict=False)
        if before[0] == now[0]
    ]
    return fmean(errors) / fmean(changes)


# The same fits however slow the machine is.
SETTINGS = {
    "method": '"none"',
    "folds": "3",
    "predict_milliseconds": "36000",
    "labels": '"labels.csv"',
    "retrain": '["drift", "decay", "labels"]',
}
PROBLEMS = {
    "classification": Problem(
        "arrival",
        "ROC AUC",
        roc_auc,
        1,
        {"positive": '"late"', "candidates": '["logistic", "boosting"]'},
    ),
    "regression": Problem(
        "delay",
        "RMSE in standard deviations",
        scaled_rmse,
        -1,
        {"candidates": '["ridge", "boosting"]'},
    ),
    "forecasting": Problem(
        "departures",
        "error in units of the day before",
        scaled_error,
        -1,
        {
            "candidates": '["ridge", "boosting"]',
            "unknown_at_prediction": "[]",
            "horizon": str(DAY),
            "max_rows": "100000",
        },
        series=True,
    ),
}


@dataclass(frozen=True)
class Caller:
    """Somebody who asks the service of a project, and hears later what came of it.

    Series are asked for a day at a time, with the truth of all rows before them.
    """

    project: Path
    address: str
    problem: Problem

    def stream(
        self, parts: Sequence[Rows], late: int, improve: Callable[[], object]
    ) -> list[Batch]:
        """Send rows part by part; the truth of each comes so many parts `late`, the newest first.

        Parameters
        ----------
        improve
            Is called after each part; goes once around the loop.
        """
        batches: list[Batch] = []
        waiting: list[list[dict[str, Any]]] = []
        known: list[dict[str, Any]] = []
        for part in parts:
            version, answers, truth = self._ask(part, known)
            waiting.append(
                [
                    {"id": a["id"], "actual": actual}
                    for a, actual in zip(answers, truth, strict=True)
                ]
            )
            if len(waiting) > late:
                self._give_back(waiting.pop(0)[::-1])
            improve()
            report = self.project / "reports" / "monitor.json"
            alarms = json.loads(report.read_text(encoding="utf-8"))["alarms"]
            self._wait()
            value = self.problem.measure(answers, truth)
            batches.append(Batch(len(known), version, value, alarms))
            known += part
        return batches

    def score(self, parts: Sequence[Rows], before: Rows) -> float:
        """Return the metric of what is answered to rows, part by part.

        Parameters
        ----------
        before
            What came before them; series go on from there.
        """
        answers, truth, known = [], [], list(before)
        for part in parts:
            _, said, actual = self._ask(part, known)
            answers += said
            truth += actual
            known += part
        return self.problem.measure(answers, truth)

    def _ask(self, part: Rows, known: Rows) -> tuple[str, list[dict[str, Any]], list[Any]]:
        """Return the version that answers, what it answers to rows, and the truth in that order."""
        if not self.problem.series:
            said = ask(f"{self.address}/predict", {"rows": self._inputs(part)})
            return said["model"], said["predictions"], [row[self.problem.target] for row in part]
        answers, truth, told = [], [], list(known)
        for _, rows in groupby(part, key=lambda row: row["time"][: len("2013-01-01")]):
            day = sorted(rows, key=lambda row: (row["origin"], row["time"]))  # as it answers
            body = {"horizon": DAY, "future": self._inputs(day), "rows": told}
            said = ask(f"{self.address}/predict", body)
            answers += said["predictions"]
            truth += [row[self.problem.target] for row in day]
            told += day
        return said["model"], answers, truth

    def _inputs(self, rows: Rows) -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if k != self.problem.target} for row in rows]

    def _give_back(self, truth: list[dict[str, Any]]) -> None:
        """Give the truth of predictions back: the first few by HTTP, the others by a file."""
        few = len(truth) // 10
        for one in truth[:few]:
            ask(f"{self.address}/feedback", one)
        with (self.project / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["id", "actual"])
            writer.writeheader()
            writer.writerows(truth[few:] + truth[:1])  # one comes twice

    def _wait(self) -> None:
        """Wait until the service has taken up the champion."""
        pointer = self.project / "models" / "champion.json"
        version = json.loads(pointer.read_text(encoding="utf-8"))["version"]
        deadline = time.monotonic() + SECONDS
        while ask(f"{self.address}/model")["version"] != version:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{version} is not served")
            time.sleep(0.1)


def read_parts(path: Path, size: int) -> list[Rows]:
    """Read JSON lines in parts of so many rows."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def ask(url: str, body: object = None) -> dict[str, Any]:
    """Send JSON and read JSON."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as answer:
        return dict(json.load(answer))
