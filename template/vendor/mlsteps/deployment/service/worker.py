"""A thread with a queue: the model, the challenger and the prediction log have one each."""

import threading
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """A thread that handles items in their order, those that wait together at once.

    Items have a `size`: `most` is handled at a time, and `room` is for those that wait. A larger
    item is handled alone, once no other waits.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[list[Item]], None],
        size: Callable[[Item], int],
        most: int,
        room: float = inf,
    ) -> None:
        self.closing = threading.Event()
        self._name, self._handle = name, handle
        self._size, self._most, self._room = size, most, room
        self._items: deque[Item] = deque()
        self._in_hand: list[Item] = []
        self._waiting = 0
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begin; a worker that was closed can begin again."""
        self.closing.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def put(self, *items: Item, seconds: float = 0) -> bool:
        """Queue items; return False if there was no room for them in that time."""
        size = sum(map(self._size, items))
        with self._changed:
            if not self._changed.wait_for(lambda: self._fits(size), seconds):
                return False
            self._items.extend(items)
            self._waiting += size
            self._changed.notify_all()
        return True

    def close(self, seconds: float | None = None) -> None:
        """Let the thread handle what waits, for so long at most, and end."""
        with self._changed:
            self.closing.set()
            self._changed.notify_all()
        self._thread.join(seconds)

    def unfinished(self) -> list[Item]:
        """Return the items that wait and those that are being handled."""
        with self._changed:
            return [*self._in_hand, *self._items]

    def _fits(self, size: int) -> bool:
        return not self._items or self._waiting + size <= self._room

    def _run(self) -> None:
        while items := self._take():
            self._handle(items)
            self._in_hand = []

    def _gather(self) -> None:
        """Let more items come before a turn begins."""

    def _take(self) -> list[Item]:
        """Wait for items and take those of a turn; there are none once the worker is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self.closing.is_set())
        self._gather()
        taken: list[Item] = []
        size = 0
        with self._changed:
            while self._items and (not taken or size + self._size(self._items[0]) <= self._most):
                taken.append(self._items.popleft())
                size += self._size(taken[-1])
            self._waiting -= size
            self._in_hand = taken
            self._changed.notify_all()
        return taken
