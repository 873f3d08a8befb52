"""What the project decides of the loop, and what it is told to decide by."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..problem.settings import Improvement
from .compare import Comparison
from .drift import Drift


@dataclass(frozen=True)
class Situation:
    """What is known when it is decided whether to retrain.

    Attributes
    ----------
    drifted, decayed
        A sentence for each alarm: of inputs and predictions, and of errors.
    trained
        When the newest version was trained, in UTC.
    new_labels
        How many predictions got their true label since then.
    candidates_changed
        Whether [models] candidates is not what it was.
    """

    drifted: list[str]
    decayed: list[str]
    trained: datetime
    new_labels: int
    candidates_changed: bool


@dataclass(frozen=True)
class Policy:
    """The rules of the project.

    Attributes
    ----------
    has_drifted
        Tells of a column whether its change is an alarm.
    reasons_to_retrain
        Returns what speaks for training a challenger now, and what against it.
    promotes
        Tells whether a challenger is better enough to take the champion's place.
    rolls_back
        Tells whether the predecessor is better enough to serve again.
    """

    has_drifted: Callable[[Drift, Improvement], bool]
    reasons_to_retrain: Callable[[Situation, Improvement], tuple[list[str], list[str]]]
    promotes: Callable[[Comparison, Improvement], bool]
    rolls_back: Callable[[Comparison, Improvement], bool]
