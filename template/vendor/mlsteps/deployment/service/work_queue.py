"""The queue that the threads of the service share: items with a size, taken many at a time."""

import threading
from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Generic, TypeVar

Item = TypeVar("Item")


class WorkQueue(Generic[Item]):
    """Items that wait for a thread. `queue.Queue` has no sizes, no batches and no end.

    Parameters
    ----------
    room : float
        How much may wait, by the sizes of the items. A larger item waits until all others are gone.
    """

    def __init__(self, room: float = inf) -> None:
        self._room = room
        self._items: deque[tuple[Item, float]] = deque()
        self._changed = threading.Condition()
        self.closed = False
        self.waiting = 0.0

    def __len__(self) -> int:
        """Return how many items wait."""
        return len(self._items)

    def put(self, items: Iterable[tuple[Item, float]], seconds: float = 0) -> bool:
        """Add items with their sizes; return False if there was no room for them in that time."""
        new = list(items)
        size = sum(size for _, size in new)
        with self._changed:
            if not self._changed.wait_for(lambda: self._fits(size), seconds):
                return False
            self._items += new
            self.waiting += size
            self._changed.notify_all()
        return True

    def take(self, most: float, seconds: float | None = None) -> list[Item]:
        """Wait for items and take them: the first, and those that follow up to a size of `most`.

        None are left when the queue is closed, or when the time is up.
        """
        taken: list[Item] = []
        size = 0.0
        with self._changed:
            self._changed.wait_for(lambda: self._items or self.closed, seconds)
            while self._items and (not taken or size + self._items[0][1] <= most):
                item, its_size = self._items.popleft()
                taken.append(item)
                size += its_size
            self.waiting -= size
            self._changed.notify_all()
        return taken

    def close(self) -> None:
        """Let nobody wait any more; what is left can still be taken."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def wait_closed(self, seconds: float) -> bool:
        """Wait until the queue is closed, for so long at most; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.closed, seconds)

    def _fits(self, size: float) -> bool:
        return not self._items or self.waiting + size <= self._room
