"""Which trial is worked at next, while there is time."""

import time
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from ..errors import raised_by_project

if TYPE_CHECKING:
    from .search import Trial

OUT_OF_TIME = "the time budget ended first"


class OutOfTimeError(Exception):
    """The time ended that a trial had."""


class Schedule:
    """Hands out the parts of trials, and makes trials of what comes back.

    Parameters
    ----------
    turns
        The trials, each with the turn of its candidate that it is.
    parts
        Into how many parts the work of a trial is cut.
    seconds
        How long from now on parts are handed out.
    left_out
        Here it keeps why candidates had no turn, or not all of theirs.
    """

    def __init__(
        self,
        turns: Sequence[tuple[int, "Trial"]],
        parts: int,
        seconds: float,
        left_out: dict[str, str],
    ) -> None:
        self.trials = [trial for _, trial in turns]
        self.queue = [(t, 0, k, part) for k, (t, _) in enumerate(turns) for part in range(parts)]
        heapify(self.queue)  # by turn; then, of one turn, those that had their share of the time
        self._parts, self._left_out = parts, left_out
        self._deadline = time.monotonic() + seconds
        self._waiting = {trial.candidate for trial in self.trials}  # for their first turn
        self._until: dict[int, float] = {}  # when a trial has had its share
        self._seconds: dict[str, float] = {}  # what the last part of a candidate took
        self._found: dict[int, dict[int, Trial]] = {k: {} for k in range(len(turns))}

    def tasks(self) -> Iterator[tuple[int, "Trial", int, float]]:
        """Yield the number of a trial, the trial, a part of it, and when it has to give up."""
        while self.queue:
            turn, late, number, part = heappop(self.queue)
            trial, now = self.trials[number], time.monotonic()
            if number not in self._found:
                continue  # another part of it has failed
            if now + self._seconds.get(trial.candidate, 0.0) >= self._deadline:
                self._leave_out(number, OUT_OF_TIME)
                continue
            if late or number not in self._until:
                share = (self._deadline - now) / max(1, 0 if late else len(self._waiting))
                self._until[number] = now + share
                self._waiting.discard(trial.candidate)
            elif now > self._until[number] and self._waiting:
                heappush(self.queue, (turn, late + 1, number, part))
                continue
            yield number, trial, part, self._until[number]

    def take(
        self, number: int, part: int, outcome: "Trial | Exception", seconds: float
    ) -> "Trial | None":
        """Keep what came of a part; return the trial when it has all of its parts."""
        trial, found = self.trials[number], self._found.get(number)
        self._seconds[trial.candidate] = seconds
        if found is None:
            return None
        if isinstance(outcome, OutOfTimeError):
            if self._until[number] < self._deadline:
                heappush(self.queue, (0, 1, number, part))
            else:
                self._leave_out(number, OUT_OF_TIME)
        elif isinstance(outcome, Exception):  # what an estimator says of data or settings
            if raised_by_project(outcome):
                raise outcome
            why = (str(outcome).splitlines() or [type(outcome).__name__])[0].rstrip(".")
            self._leave_out(number, f"it fails with {trial.settings or 'its defaults'} ({why})")
        else:
            found[part] = outcome
            if len(found) == self._parts:
                return trial.gather([found[k] for k in range(self._parts)])
        return None

    def _leave_out(self, number: int, why: str) -> None:
        self._left_out[self.trials[number].candidate] = why
        self._found.pop(number)
