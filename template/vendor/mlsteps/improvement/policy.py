"""What the project decides of the loop, and what its rules decide by."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..problem.settings import Improvement
from .comparison import Comparison
from .drift import Drift
from .performance import Performance


@dataclass(frozen=True)
class Situation:
    """What is known when it is decided whether to retrain.

    Attributes
    ----------
    drifted, decayed : list of str
        A sentence for each alarm: of inputs and predictions, and of errors.
    trained : datetime
        When the newest version was trained, in UTC.
    new_labels : int
        How many predictions got their true label since then.
    candidates_changed : bool
        Whether [models] candidates is not what it was.
    """

    drifted: list[str]
    decayed: list[str]
    trained: datetime
    new_labels: int
    candidates_changed: bool


@dataclass(frozen=True)
class Reason:
    """A reason to retrain.

    Attributes
    ----------
    holds : bool
        Whether it is one now.
    text : str
        What was found, for the history.

    Examples
    --------
    >>> Reason(3 >= 5, "3 complaints came; 5 are asked for").holds
    False
    """

    holds: bool
    text: str


@dataclass(frozen=True)
class Policy:
    """The rules of the project; each gets the table [improvement] of project.toml as well.

    Attributes
    ----------
    has_drifted : callable
        Tells whether the change of a column is an alarm.
    has_decayed : callable
        Tells whether the errors of the champion are an alarm.
    reasons_to_retrain : callable
        Returns the reasons that count; one that holds is enough to train a challenger.
    promotes : callable
        Tells whether a challenger is better enough to take the champion's place.
    rolls_back : callable
        Tells whether the predecessor is better enough to serve again.
    """

    has_drifted: Callable[[Drift, Improvement], bool]
    has_decayed: Callable[[Performance, Improvement], bool]
    reasons_to_retrain: Callable[[Situation, Improvement], list[Reason]]
    promotes: Callable[[Comparison, Improvement], bool]
    rolls_back: Callable[[Comparison, Improvement], bool]
