"""Which trial is worked at next, while there is time."""

import time
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..problem.metric import Metric

if TYPE_CHECKING:
    from .search import Trial

OUT_OF_TIME = "the time budget ended first"


class OutOfTimeError(Exception):
    """The time ended before a trial did."""


class Schedule:
    """Hands out the parts of trials, and makes trials of what comes back.

    `turns` are the trials with the turn of their candidate that each is. Why candidates had no
    turn, or not all of theirs, is kept in `left_out`. With `race`, the first part of a trial after
    its candidate's first one has to be better than that of the candidate's best, or the rest is not
    done; and each candidate gets half the time of the one that is next better.
    """

    def __init__(
        self,
        turns: list[tuple[int, "Trial"]],
        parts: int,
        deadline: float,
        metric: Metric,
        left_out: dict[str, str],
        *,
        race: bool,
    ) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)  # by candidate, of all its parts
        self._trials, self._parts = [trial for _, trial in turns], parts
        self._deadline, self._metric, self._left_out = deadline, metric, left_out
        self._last: defaultdict[str, float] = defaultdict(float)  # by candidate, of its last part
        self._best: dict[str, Trial] = {}
        self._found: dict[int, dict[int, Trial]] = {k: {} for k in range(len(turns))}
        self._late: set[int] = set()  # that have had their share of the time
        self._racing = {k for k, (turn, _) in enumerate(turns) if race and turn}
        self._queues: dict[str, deque[tuple[int, int, int]]] = defaultdict(deque)
        for k, (turn, trial) in enumerate(turns):
            for part in range(1 if k in self._racing else parts):
                self._queues[trial.candidate].append((turn, k, part))

    def tasks(self) -> Iterator[tuple[int, "Trial", int, float]]:
        """Yield the number of a trial, the trial, a part of it, and in how many seconds to end."""
        while waiting := self.waiting():
            name, left = min(waiting, key=self._order), self._deadline - time.monotonic()
            share = left / max(1, sum(self._order(other) < (0, 1) for other in waiting))
            _, number, part = self._queues[name].popleft()
            if number not in self._found:
                continue  # another part of it has failed
            if self._last[name] < left:
                yield number, self._trials[number], part, share
            elif number not in self._racing:  # there is always more to try
                self._leave_out(number, OUT_OF_TIME)

    def waiting(self) -> list[str]:
        """Return the candidates that have something left to do."""
        return [name for name, queue in self._queues.items() if queue]

    def _order(self, name: str) -> tuple[float, ...]:
        """Return when it is a candidate's turn; the least is next.

        Turn by turn, first one part of each, then the others of those that are quicker.
        """
        turn, number, part = self._queues[name][0]
        if number in self._racing:
            own, better = self._best.get(name), 0
            for other in list(self._best.values()):  # at once: another thread adds to it
                better += own is None or self._metric.gain(other.mean, own.mean) > 0
            return (1, self.seconds[name] * 2**better)
        late = part > 0 or number in self._late
        return (turn, late, self._last[name] if late else 0)

    def take(
        self, number: int, part: int, outcome: "Trial | str", seconds: float
    ) -> "Trial | None":
        """Keep what came of a part, or why nothing did; return the trial when it has all parts."""
        trial, found = self._trials[number], self._found.get(number)
        self._last[trial.candidate] = seconds
        self.seconds[trial.candidate] += seconds
        if found is None:
            return None
        if outcome == OUT_OF_TIME and number not in self._late:
            self._late.add(number)  # once more, when the others had their first turn
            self._queues[trial.candidate].appendleft((0, number, part))
        elif isinstance(outcome, str):
            self._leave_out(number, outcome)
        else:
            return self._add(number, part, outcome)
        return None

    def _add(self, number: int, part: int, outcome: "Trial") -> "Trial | None":
        # The thread that hands out parts may have left it out since.
        trial, found = self._trials[number], self._found.get(number, {})
        found[part], best = outcome, self._best.get(trial.candidate)
        if len(found) == self._parts:
            del self._found[number]
            trial.gather([found[k] for k in range(self._parts)])
            if not best or self._metric.gain(trial.mean, best.mean) > 0:
                self._best[trial.candidate] = trial
            return trial
        if number in self._racing and part == 0:
            if best and self._metric.gain(outcome.scores[0], best.scores[0]) <= 0:
                del self._found[number]
            else:
                others = [(1, number, k) for k in range(self._parts - 1, 0, -1)]
                self._queues[trial.candidate].extendleft(others)
        return None

    def _leave_out(self, number: int, why: str) -> None:
        self._found.pop(number, None)
        self._left_out[self._trials[number].candidate] = why
