"""Writes the log of predictions in a thread, so that no response waits for the database."""

import json
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from ...errors import UserError
from ..log_tables import FEEDBACK, PREDICTIONS
from ..prediction_log import Rows, find_predictions, write_rows
from . import metrics
from .responses import RequestError
from .worker import Worker

GATHER_SECONDS = 0.05  # rows of so long go into one transaction
LONGEST_DELAY = 5.0  # seconds between tries while the database does not answer
CLOSE_SECONDS = 20.0  # an orchestrator kills some time after SIGTERM
MOST_BYTES = 64 * 2**20  # what may wait in memory
BATCH_BYTES = 8 * 2**20  # in one transaction
PATIENCE_SECONDS = 10.0  # how long a full queue is waited for while the database answers
ROW_BYTES = 1000  # what a waiting row costs, its text apart
NEW = "The prediction log was deleted or replaced; it begins anew, and what it held is gone."
UNAVAILABLE = "The prediction log does not answer; send it again later."

logger = logging.getLogger(__name__)


class Entry(NamedTuple):
    """Rows of a table that came together, and their size in bytes."""

    table: sa.Table
    rows: Rows
    size: int


class LogWriter(Worker[Entry]):
    """Writes predictions and feedback in the order they come, many in one transaction.

    Where rows come faster than the database takes them, whoever brings them waits. While it is
    locked or away, rows stay in memory and are tried again; once the memory is full, new ones are
    dropped and counted, because the service is to go on.
    """

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__("log-writer", self._write, lambda e: e.size, BATCH_BYTES, MOST_BYTES)
        self._engine = engine
        self._ready = self._dropped = False
        self._newest = ""  # the id of the prediction that was written last,
        self._seen: tuple[int, ...] | None = None  # and the file as it was then
        self._failures = 0

    def __len__(self) -> int:
        """Return how many rows wait."""
        return sum(len(entry.rows) for entry in self.unfinished())

    def start(self) -> None:
        """Begin with the tables: if the database does not answer, it is to be known early."""
        super().start()
        self.add(PREDICTIONS, [])

    def add(self, table: sa.Table, rows: Rows) -> bool:
        """Take rows to write, and return whether there was room; waits only if too many wait."""
        texts = (value for row in rows for value in row.values() if isinstance(value, str))
        entry = Entry(table, rows, ROW_BYTES * len(rows) + sum(map(len, texts)))
        if self.put(entry, seconds=0 if self._failures else PATIENCE_SECONDS):
            return True
        if not self._dropped:
            logger.error("Too many rows wait for the prediction log; new ones are dropped.")
        self._dropped = True
        metrics.LOG_DROPPED_ROWS.inc(len(rows))
        return False

    def add_feedback(self, prediction: str, actual: str | float) -> None:
        """Take the true label of a prediction, if its id is known and the database answers."""
        ids = (row.get("id") for entry in self.unfinished() for row in entry.rows)
        try:
            known = prediction in ids or len(find_predictions(self._engine, [prediction]))
        except UserError:
            raise RequestError(503, UNAVAILABLE) from None
        if not known:
            raise RequestError(404, f'There is no prediction with the id "{prediction[:64]}".')
        row = {"prediction_id": prediction, "at": datetime.now(UTC).replace(tzinfo=None)}
        if not self.add(FEEDBACK, [row | {"actual": json.dumps(actual)}]):
            raise RequestError(503, UNAVAILABLE)

    def close(self, seconds: float | None = CLOSE_SECONDS) -> None:
        """Write all that waits, as far as the time allows, and stop."""
        super().close(seconds)
        if lost := len(self):
            logger.error("The prediction log does not answer; %d rows are lost.", lost)
        self._engine.dispose()

    def _gather(self) -> None:
        self.closing.wait(GATHER_SECONDS)

    def _write(self, entries: list[Entry]) -> None:
        """Write rows in one transaction, as often as it takes."""
        rows: dict[sa.Table, Rows] = {PREDICTIONS: [], FEEDBACK: []}
        for entry in entries:
            rows[entry.table] += entry.rows
        while not self._wrote(rows):
            delay = min(0.1 * 2 ** min(self._failures, 10), LONGEST_DELAY)
            if self.closing.wait(delay):
                time.sleep(0.2)  # try often, as little time is left

    def _wrote(self, rows: dict[sa.Table, Rows]) -> bool:
        """Try to write rows; return whether that succeeded."""
        before, there = self._state(), True
        look = not self._ready or before != self._seen
        try:
            if look:  # at a file that may be another one by now; this makes the tables of a new one
                self._engine.dispose()
                there = not self._newest or len(find_predictions(self._engine, [self._newest])) > 0
            # The last commit may have failed only in its answer.
            write_rows(self._engine, rows, once=not self._ready)
        except Exception as error:  # noqa: BLE001 -- whatever a driver raises, the rows are kept
            if not look:
                self._ready = False
                return self._wrote(rows)
            if not self._failures:
                logger.warning("%s Rows are kept meanwhile.", error)
            self._failures += 1
            self._ready = False
            return False
        if not there:
            logger.warning(NEW)
            metrics.LOG_REPLACED.inc()
        now = self._state()
        self._seen = now if now[0] == before[0] else None  # if another came meanwhile, look again
        self._newest = next((row["id"] for row in rows[PREDICTIONS][-1:]), self._newest)
        if self._failures:
            logger.info("The prediction log answers again.")
        self._ready, self._failures = True, 0
        return True

    def _state(self) -> tuple[int, ...]:
        """Return what changes when the file of SQLite is another one; a server has none."""
        if self._engine.dialect.name != "sqlite":
            return (0,)
        try:
            found = Path(self._engine.url.database or "").stat()
        except OSError:
            return (time.monotonic_ns(),)  # a file that is not there is never the same
        return found.st_ino, found.st_size, found.st_mtime_ns
