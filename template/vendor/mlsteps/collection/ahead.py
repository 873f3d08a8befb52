"""Write a file in a thread while what belongs into it still comes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any

import pyarrow as pa

END, GIVEN_UP = object(), object()


class GivenUpError(Exception):
    """What was written so far is not wanted."""


class Ahead:
    """A file that is written from parts as they come.

    Parameters
    ----------
    write
        Writes the parts that it is given; it keeps the file if they end, and not if they fail.
    schema
        The columns of the file.
    """

    def __init__(self, write: Callable[[Iterator[Any]], None], schema: pa.Schema) -> None:
        self.schema = schema
        self._parts: SimpleQueue[Any] = SimpleQueue()
        self._thread = ThreadPoolExecutor(1)
        self._written = self._thread.submit(write, self._coming())

    def add(self, part: Any) -> None:
        """Write one more."""
        self._parts.put(part)

    def finish(self) -> None:
        """Wait until all is written, or raise what went wrong."""
        self._parts.put(END)
        self._written.result()

    def give_up(self) -> None:
        """Let nothing be left of the file, unless it is finished."""
        self._parts.put(GIVEN_UP)
        wait([self._written])
        self._thread.shutdown()

    def _coming(self) -> Iterator[Any]:
        while (part := self._parts.get()) is not END:
            if part is GIVEN_UP:
                raise GivenUpError
            yield part
