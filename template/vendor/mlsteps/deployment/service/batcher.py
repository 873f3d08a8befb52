"""Predicts all waiting requests in one call of the model: 1,000 rows cost about what one costs."""

import asyncio
from collections.abc import Callable, Sized
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

from .worker import Worker

MOST_ROWS = 1000  # in one call, so that none waits long for others

Request = TypeVar("Request", bound=Sized)
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Waiting(Generic[Request, Result]):
    """A request, and the future of its result for a thread or for a task of an event loop."""

    request: Request
    future: "Future[Result] | asyncio.Future[Result]"
    loop: asyncio.AbstractEventLoop | None = None


class Batcher(Worker[Waiting[Request, Result]]):
    """A thread that predicts the first request at once, and all that came meanwhile together.

    No request waits for others to come. Requests that spoil a joint call are predicted one by one,
    so that each fails only by its own fault. `predict` returns a result for each request.
    """

    def __init__(self, predict: Callable[[list[Request]], list[Result]]) -> None:
        super().__init__("model", self._settle_all, lambda one: len(one.request), MOST_ROWS)
        self._predict = predict
        self._in_turn: list[Waiting[Request, Result]] = []

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self._items)

    def submit(self, request: Request) -> "Future[Result]":
        """Add a request of a thread."""
        future: Future[Result] = Future()
        self.put(Waiting(request, future))
        return future

    def submit_async(self, request: Request) -> "asyncio.Future[Result]":
        """Add a request of an event loop; one that is cancelled in time costs no call.

        All that the loop submits in one turn is handed over together, and so are the results of a
        call: whenever the loop and the thread wake each other, they contend for the interpreter.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if not self._in_turn:
            loop.call_soon(self._end_turn)
        self._in_turn.append(Waiting(request, future, loop))
        return future

    def _end_turn(self) -> None:
        submitted, self._in_turn = self._in_turn, []
        self.put(*submitted)

    def _run(self) -> None:
        with threadpool_limits(1):  # the quickest for few rows
            super()._run()

    def _settle_all(self, batch: list[Waiting[Request, Result]]) -> None:
        batch = [one for one in batch if not one.future.done()]
        results = self._results([one.request for one in batch])
        pairs = zip(batch, results, strict=True)
        for loop, done in groupby(pairs, key=lambda pair: pair[0].loop):
            if loop is None:
                _settle(list(done))
            else:
                loop.call_soon_threadsafe(_settle, list(done))

    def _results(self, requests: list[Request]) -> list[Result | Exception]:
        try:
            return list(self._predict(requests))
        except Exception as error:  # noqa: BLE001 -- the caller gets it
            if len(requests) == 1:
                return [error]
            return [result for one in requests for result in self._results([one])]


def _settle(done: list[tuple[Waiting[Request, Result], Result | Exception]]) -> None:
    for waiting, result in done:
        if waiting.future.done():  # cancelled during the call
            continue
        if isinstance(result, Exception):
            waiting.future.set_exception(result)
        else:
            waiting.future.set_result(result)
