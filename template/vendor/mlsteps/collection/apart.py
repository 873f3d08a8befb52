"""Read in a thread: neither Ctrl-C nor a time limit waits for a driver that does not hear it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Queue
from typing import Any

import pyarrow as pa

Stop = Callable[[], None]
Read = Callable[[Callable[[Stop], None]], Iterator[pa.Table]]

END = object()
LEAVE_SECONDS = 1.0  # that a thread has to end in, once it was told to stop


def read_apart(read: Read, seconds: float) -> Iterator[pa.Table]:
    """Yield what is read in a thread of its own.

    No signal interrupts the driver's code, which may be in no state to be interrupted. A thread
    that cannot be stopped is left alone: it ends with the process.
    """
    # One table waits at most, so that memory stays bounded.
    tables: Queue[Any] = Queue(1)
    stops: list[Stop] = []
    over = threading.Event()

    def fill() -> None:
        try:
            for table in read(stops.append):
                tables.put(table)
                if over.is_set():
                    return
            tables.put(END)
        except Exception as error:  # noqa: BLE001 - it is raised where the tables are wanted
            tables.put(error)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    until = time.monotonic() + seconds
    try:
        while (table := _next(tables, until)) is not END:
            yield table
    finally:
        over.set()
        if thread.is_alive():
            _leave(thread, tables, stops)


def _next(tables: Queue[Any], until: float) -> Any:
    try:
        table = tables.get(timeout=max(0.0, until - time.monotonic()))
    except Empty:
        raise TimeoutError from None
    if isinstance(table, Exception):
        raise table
    return table


def _leave(thread: threading.Thread, tables: Queue[Any], stops: list[Stop]) -> None:
    """Stop a thread, whether it waits for the database or for its table to be taken."""
    for stop in stops:
        with suppress(Exception):  # it may have ended by itself in the meantime
            stop()
    with suppress(Empty):
        tables.get_nowait()
    thread.join(LEAVE_SECONDS)
