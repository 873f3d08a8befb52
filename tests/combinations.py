"""Which combinations of answers the engines render: all of them are thousands, and much alike."""

import itertools
import json
from pathlib import Path

QUESTIONS = json.loads(
    (Path(__file__).parent.parent / "cookiecutter.json").read_text(encoding="utf-8")
)
CHOICES = {name: choices for name, choices in QUESTIONS.items() if isinstance(choices, list)}

Answers = dict[str, str]
Meeting = tuple[tuple[str, str], ...]  # of an answer to each of two questions


def combine() -> list[Answers]:
    """Return combinations in which any answers to two questions meet, the defaults first.

    Each begins with answers that have not met yet, and takes for every other question the one that
    brings most new meetings (Cohen, Dalal, Fredman and Patton, 1997).
    """
    waiting = dict.fromkeys(
        tuple(zip(names, answers, strict=True))
        for names in itertools.combinations(CHOICES, 2)
        for answers in itertools.product(*map(CHOICES.__getitem__, names))
    )
    found = []
    while waiting:
        chosen = dict(next(iter(waiting)))
        for name, answers in CHOICES.items():
            if name not in chosen:
                ways = [chosen | {name: answer} for answer in answers]
                chosen = max(ways, key=lambda way: len(_meetings(way) & waiting.keys()))
        for meeting in _meetings(chosen):
            waiting.pop(meeting, None)
        found.append({name: chosen[name] for name in CHOICES})
    return found


def title(answers: Answers) -> str:
    """Name a combination by the answers that can differ."""
    return "-".join(answers[name] for name, choices in CHOICES.items() if len(choices) > 1)


def _meetings(answers: Answers) -> set[Meeting]:
    pairs = [(name, answers[name]) for name in CHOICES if name in answers]
    return set(itertools.combinations(pairs, 2))


FEW = combine()  # where each takes seconds; all are rendered in memory
