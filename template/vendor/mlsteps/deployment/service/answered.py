"""One prediction, on its way to the log and to the caller."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answered:
    """What was asked and what was answered.

    Attributes
    ----------
    row, answer
        As they are logged.
    shown
        What the caller is told, beside the id.
    warnings
        What about the row training never saw.
    """

    row: dict[str, Any]
    answer: dict[str, Any]
    shown: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
