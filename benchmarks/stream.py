"""Stream rows through a running service, bring their truth back late, and let the loop go round."""

import csv
import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET, POSITIVE = "arrival", "probability_late"
SECONDS = 30  # that a service may take to serve a new champion

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Batch:
    """Rows that were answered together.

    Attributes
    ----------
    start
        How many rows came before.
    auc
        The ROC AUC of the answers.
    alarms
        What the loop saw afterwards.
    """

    start: int
    version: str
    auc: float
    alarms: list[str]
    truth: list[str]


def stream(
    project: Path, address: str, parts: Sequence[Rows], late: int, improve: Callable[[], object]
) -> list[Batch]:
    """Send rows part by part; the truth of each comes so many parts `late`, the newest first.

    Parameters
    ----------
    improve
        Is called after each part; goes once around the loop.
    """
    batches: list[Batch] = []
    waiting: list[list[dict[str, str]]] = []
    for part in parts:
        inputs = [{k: v for k, v in row.items() if k != TARGET} for row in part]
        said = ask(f"{address}/predict", {"rows": inputs})
        truth = [row[TARGET] for row in part]
        answers = said["predictions"]
        waiting.append(
            [{"id": a["id"], "actual": actual} for a, actual in zip(answers, truth, strict=True)]
        )
        if len(waiting) > late:
            give_back(project, address, waiting.pop(0)[::-1])
        improve()
        found = json.loads((project / "reports" / "monitor.json").read_text(encoding="utf-8"))
        wait_for(project, address)
        auc = roc_auc([answer[POSITIVE] for answer in answers], truth)
        start = sum(len(batch.truth) for batch in batches)
        batches.append(Batch(start, said["model"], auc, found["alarms"], truth))
    return batches


def give_back(project: Path, address: str, truth: list[dict[str, str]]) -> None:
    """Give the truth of predictions back: the first few by HTTP, the others by a file."""
    few = len(truth) // 10
    for one in truth[:few]:
        ask(f"{address}/feedback", one)
    with (project / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "actual"])
        writer.writeheader()
        writer.writerows(truth[few:] + truth[:1])  # one comes twice


def wait_for(project: Path, address: str) -> None:
    """Wait until the service has taken up the champion."""
    champion = json.loads((project / "models" / "champion.json").read_text(encoding="utf-8"))
    deadline = time.monotonic() + SECONDS
    while ask(f"{address}/model")["version"] != champion["version"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{champion['version']} is not served")
        time.sleep(0.1)


def roc_auc(chances: Sequence[float], truth: Sequence[str]) -> float:
    """Return the share of pairs of a late flight and another that are in the right order."""
    late = [c for c, actual in zip(chances, truth, strict=True) if actual == "late"]
    others = [c for c, actual in zip(chances, truth, strict=True) if actual != "late"]
    won = sum((a > b) + (a == b) / 2 for a in late for b in others)
    return won / (len(late) * len(others))


def ask(url: str, body: object = None) -> dict[str, Any]:
    """Send JSON and read JSON."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as answer:
        return dict(json.load(answer))
