"""Predicts all waiting requests in one call of the model: 1,000 rows cost about what one costs."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from itertools import groupby
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from .worker import Worker

MOST_ROWS = 1000  # in one call, so that none waits long for others


class Waiting(NamedTuple):
    """A request, and the future of its result for a thread or for a task of an event loop."""

    request: Any
    future: "Future[Any] | asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop | None = None


class Batcher(Worker[Waiting]):
    """A thread that predicts the first request at once, and all that came meanwhile together.

    Requests that spoil a joint call are predicted one by one,
    so that each fails only by its own fault. `predict` returns a result for each request.
    """

    def __init__(self, predict: Callable[[list[Any]], list[Any]]) -> None:
        super().__init__("model", self._settle_all, lambda one: len(one.request), MOST_ROWS)
        self._predict = predict
        self._in_turn: list[Waiting] = []

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self._items)

    def submit(self, request: Any) -> "Future[Any]":
        """Add a request of a thread."""
        future: Future[Any] = Future()
        self.put(Waiting(request, future))
        return future

    def submit_async(self, request: Any) -> "asyncio.Future[Any]":
        """Add a request of an event loop; one that is cancelled in time costs no call.

        All that the loop submits in one turn is handed over together, and so are the results of a
        call: whenever the loop and the thread wake each other, they contend for the interpreter.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
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

    def _gather(self) -> None:
        """Let threads that are about to submit a request do so first; none waits for others."""
        before = 0
        while before < self._waiting < MOST_ROWS:
            before = self._waiting
            time.sleep(0)

    def _settle_all(self, batch: list[Waiting]) -> None:
        batch = [one for one in batch if not one.future.done()]
        results = self._results([one.request for one in batch])
        for loop, pairs in groupby(zip(batch, results, strict=True), lambda pair: pair[0].loop):
            if loop is None:
                _settle(list(pairs))
            else:
                loop.call_soon_threadsafe(_settle, list(pairs))

    def _results(self, requests: list[Any]) -> list[Any]:
        try:
            return self._predict(requests)
        except Exception as error:  # noqa: BLE001 -- the caller gets it
            if len(requests) == 1:
                return [error]
            return [result for one in requests for result in self._results([one])]


def _settle(pairs: list[tuple[Waiting, Any]]) -> None:
    for waiting, result in pairs:
        if waiting.future.done():  # cancelled during the call
            continue
        if isinstance(result, Exception):
            waiting.future.set_exception(result)
        else:
            waiting.future.set_result(result)
