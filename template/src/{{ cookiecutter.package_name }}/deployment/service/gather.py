"""Gathers what waits into one call of the model: a thousand rows cost about what one costs."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from threadpoolctl import threadpool_limits

MOST_ROWS = 1000  # in one call, so that none waits long for others


class Sized(Protocol):
    """What can be counted in rows."""

    def __len__(self) -> int:
        """Return the number of rows."""


Question = TypeVar("Question", bound=Sized)
Reply = TypeVar("Reply")


class Gatherer(Generic[Question, Reply]):
    """One thread that answers questions: the first at once, all that wait by then in the next call.

    Nobody waits for company: a lone question is answered alone. Questions that spoil a joint call
    are answered one by one, so that each fails only by its own fault. Numeric libraries get one
    thread, which is quickest for few rows and kind to the neighbours.

    Parameters
    ----------
    answer
        Returns a reply for each question, in their order.
    """

    def __init__(self, answer: Callable[[list[Question]], list[Reply]]) -> None:
        self._answer = answer
        self._waiting: deque[tuple[Question, Future[Reply]]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer what waits, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def __len__(self) -> int:
        """Return how many questions wait."""
        return len(self._waiting)

    def ask(self, question: Question) -> Future[Reply]:
        """Take a question; a future that is cancelled before its turn costs no call."""
        future: Future[Reply] = Future()
        with self._changed:
            self._waiting.append((question, future))
            self._changed.notify()
        return future

    def _run(self) -> None:
        with threadpool_limits(1):
            while taken := self._take():
                self._reply(taken)

    def _take(self) -> list[tuple[Question, Future[Reply]]]:
        """Wait for questions and take them; none means that all are answered and closed."""
        taken: list[tuple[Question, Future[Reply]]] = []
        rows = 0
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            while self._waiting and (not taken or rows + len(self._waiting[0][0]) <= MOST_ROWS):
                taken.append(self._waiting.popleft())
                rows += len(taken[-1][0])
        return taken

    def _reply(self, taken: list[tuple[Question, Future[Reply]]]) -> None:
        taken = [pair for pair in taken if pair[1].set_running_or_notify_cancel()]
        try:
            replies = self._answer([question for question, _ in taken])
        except Exception as error:  # noqa: BLE001 -- whoever asked is told
            if len(taken) == 1:
                taken[0][1].set_exception(error)
                return
            for pair in taken:
                self._reply_alone(*pair)
            return
        for (_, future), reply in zip(taken, replies, strict=True):
            future.set_result(reply)

    def _reply_alone(self, question: Question, future: Future[Reply]) -> None:
        try:
            future.set_result(self._answer([question])[0])
        except Exception as error:  # noqa: BLE001 -- whoever asked is told
            future.set_exception(error)
