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

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> now = Situation([], [], trained=datetime(2026, 1, 31, tzinfo=UTC), new_labels=120)
    >>> now.new_labels >= 100
    True
    """

    drifted: list[str]
    decayed: list[str]
    trained: datetime
    new_labels: int


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
    >>> Reason(3 >= 5, "3 complaints came; 5 are needed").holds
    False
    """

    holds: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules of the project; each takes the table [improvement] of project.toml as well.

    Attributes
    ----------
    has_drifted : function of Drift and Improvement
        Returns whether the change of a column is an alarm.
    has_decayed : function of Performance and Improvement
        Returns whether the errors of the champion are an alarm.
    reasons_to_retrain : function of Situation and Improvement
        Returns a dict of `Reason` by name; of those that ``[improvement] retrain`` names, one that
        holds is enough to train a challenger.
    promotes : function of Comparison and Improvement
        Returns whether a challenger takes the champion's place.
    rolls_back : function of Comparison and Improvement
        Returns whether the predecessor serves again.

    Examples
    --------
    In improvement/policy.py of a project:

    >>> POLICY = Policy(
    ...     has_drifted=lambda drift, settings: drift.psi > 0.25,
    ...     has_decayed=lambda performance, settings: performance.is_worse_than_tested,
    ...     reasons_to_retrain=lambda situation, settings: {"always": Reason(True, "always")},
    ...     promotes=lambda comparison, settings: comparison.gain > 0,
    ...     rolls_back=lambda comparison, settings: False,
    ... )
    """

    has_drifted: Callable[[Drift, Improvement], bool]
    has_decayed: Callable[[Performance, Improvement], bool]
    reasons_to_retrain: Callable[[Situation, Improvement], dict[str, Reason]]
    promotes: Callable[[Comparison, Improvement], bool]
    rolls_back: Callable[[Comparison, Improvement], bool]
