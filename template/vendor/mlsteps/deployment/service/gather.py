"""Gathers what waits into one call of the model: a thousand rows cost about what one costs."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, Protocol, TypeVar

from threadpoolctl import threadpool_limits

MOST_ROWS = 1000  # in one call, so that none waits long for others


class Sized(Protocol):
    """What can be counted in rows."""

    def __len__(self) -> int:
        """Return the number of rows."""


Question = TypeVar("Question", bound=Sized)
Reply = TypeVar("Reply")


@dataclass(frozen=True, eq=False)
class Waiting(Generic[Question, Reply]):
    """A question, and what holds its reply for a thread, or for a task of an event loop."""

    question: Question
    future: Future[Reply] | asyncio.Future[Reply]
    loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self.question)


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
        self._heard: list[Waiting[Question, Reply]] = []  # in this turn of the event loop
        self._waiting: deque[Waiting[Question, Reply]] = deque()
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
        """Take a question of a thread."""
        future: Future[Reply] = Future()
        self._put([Waiting(question, future)])
        return future

    def ask_in_turn(self, question: Question) -> asyncio.Future[Reply]:
        """Take a question of an event loop; a future that is cancelled before costs no call.

        All that the loop hears in one turn is handed over together, and so is what a call answers:
        whenever the loop and the thread wake each other, they contend for the interpreter.
        """
        loop = asyncio.get_running_loop()
        if not self._heard:
            loop.call_soon(self._end_turn)
        future: asyncio.Future[Reply] = loop.create_future()
        self._heard.append(Waiting(question, future, loop))
        return future

    def _end_turn(self) -> None:
        heard, self._heard = self._heard, []
        self._put(heard)

    def _put(self, asked: list[Waiting[Question, Reply]]) -> None:
        with self._changed:
            self._waiting += asked
            self._changed.notify()

    def _run(self) -> None:
        with threadpool_limits(1):
            while taken := self._take():
                self._reply(taken)

    def _take(self) -> list[Waiting[Question, Reply]]:
        """Wait for questions and take them; none means that all are answered and closed."""
        taken: list[Waiting[Question, Reply]] = []
        rows = 0
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            while self._waiting and (not taken or rows + len(self._waiting[0]) <= MOST_ROWS):
                taken.append(self._waiting.popleft())
                rows += len(taken[-1])
        return taken

    def _reply(self, taken: list[Waiting[Question, Reply]]) -> None:
        taken = [one for one in taken if not one.future.done()]
        replies = self._answers([one.question for one in taken])
        pairs = zip(taken, replies, strict=True)
        for loop, settled in groupby(pairs, key=lambda pair: pair[0].loop):
            if loop is None:
                _settle(list(settled))
            else:
                loop.call_soon_threadsafe(_settle, list(settled))

    def _answers(self, questions: list[Question]) -> list[Reply | Exception]:
        try:
            return list(self._answer(questions))
        except Exception as error:  # noqa: BLE001 -- whoever asked is told
            if len(questions) == 1:
                return [error]
            return [answered for one in questions for answered in self._answers([one])]


def _settle(answered: list[tuple[Waiting[Question, Reply], Reply | Exception]]) -> None:
    for waiting, reply in answered:
        if waiting.future.done():  # cancelled while the model was asked
            continue
        if isinstance(reply, Exception):
            waiting.future.set_exception(reply)
        else:
            waiting.future.set_result(reply)
