"""Writes the log of predictions beside the service, so that no answer waits for the database."""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..prediction_log import (
    FEEDBACK,
    PREDICTIONS,
    SHADOW,
    TABLES,
    prediction_rows,
    shadow_rows,
    why,
    write_rows,
)

START_SECONDS = 1.0  # how long the start of the service waits for the tables
FLUSH_SECONDS = 0.05  # how long rows gather before they are written
LONGEST_DELAY = 5.0  # seconds between tries while the database does not answer
CLOSE_SECONDS = 20.0  # an orchestrator kills 30 seconds after SIGTERM
BATCH = 5000  # rows in one transaction, unless one request brings more
MOST_BYTES = 64 * 2**20  # what may wait in memory
PATIENCE_SECONDS = 10.0  # how long answers wait for a database that takes nothing
ROW_BYTES = 1000  # what a waiting row costs beside its text

logger = logging.getLogger(__name__)


class LogUnavailableError(Exception):
    """The database does not answer."""


@dataclass(frozen=True)
class Entry:
    """Rows on their way to a table; they came together."""

    table: sa.Table
    rows: list[dict[str, Any]]
    size: int


class LogWriter:
    """Writes predictions and feedback in the order they come, many in one transaction.

    Where rows come faster than the database takes them, whoever brings them waits. While it is
    locked or away, rows are kept and tried again; once it has taken nothing for `PATIENCE_SECONDS`
    and the memory is full, new ones are dropped and counted, because the service is to go on.

    Attributes
    ----------
    dropped
        How many rows were lost.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.dropped = 0
        self._engine = engine
        self._waiting: deque[Entry] = deque()
        self._ids: set[str] = set()  # of the predictions that wait
        self._rows = 0
        self._bytes = 0
        self._failures = 0
        self._written = time.monotonic()  # when the database last took something, or had nothing
        self._closing = False
        self._changed = threading.Condition()
        self._asked = threading.Event()  # for the tables, the first time
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def start(self) -> None:
        """Begin to write; the tables are there by then, if the database answers at once."""
        self._thread.start()
        self._asked.wait(START_SECONDS)

    def __len__(self) -> int:
        """Return how many rows wait."""
        return self._rows

    def write(
        self, version: str, inputs: Iterable[dict[str, Any]], predictions: Mapping[str, dict[str, Any]]
    ) -> None:
        """Take predictions to write; returns at once, unless too many wait.

        Parameters
        ----------
        version
            The version that answered.
        inputs
            The rows that were asked.
        answers
            What was answered to each of them, by the id of the prediction.
        """
        rows = prediction_rows(version, inputs, predictions)
        size = sum(ROW_BYTES + len(row["inputs"]) + len(row["answer"]) for row in rows)
        self._put(Entry(PREDICTIONS, rows, size))

    def write_shadow(self, version: str, predictions: Mapping[str, dict[str, Any]]) -> None:
        """Take what the challenger answered, by the id of the champion's prediction."""
        rows = shadow_rows(version, predictions)
        self._put(Entry(SHADOW, rows, sum(ROW_BYTES + len(row["answer"]) for row in rows)))

    def write_feedback(self, prediction: str, actual: str | float) -> bool:
        """Take what a prediction turned out to be; return False if its id is not known.

        Raises
        ------
        LogUnavailableError
            If the database does not answer, and the id has to be looked up or the memory is full.
        """
        if not self._knows(prediction):
            return False
        row = {"prediction": prediction, "at": _now(), "actual": json.dumps(actual)}
        if not self._put(Entry(FEEDBACK, [row], ROW_BYTES)):
            raise LogUnavailableError("too many rows wait for it")
        return True

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write all that waits, trying for so many seconds, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(seconds)
        if self._waiting:
            logger.error("The prediction log does not answer; %d rows are lost.", len(self))
        self._engine.dispose()

    def _put(self, entry: Entry) -> bool:
        """Take rows that came together; return False if they had to be dropped."""
        with self._changed:
            if not self._wait_for_room(entry.size):
                if not self.dropped:
                    logger.error("Too many rows wait for the prediction log; new ones are dropped.")
                self.dropped += len(entry.rows)
                return False
            if not self._waiting:
                self._written = time.monotonic()
            self._waiting.append(entry)
            self._rows += len(entry.rows)
            self._bytes += entry.size
            if entry.table is PREDICTIONS:
                self._ids.update(row["id"] for row in entry.rows)
            self._changed.notify_all()
        return True

    def _wait_for_room(self, size: int) -> bool:
        """Wait until so many bytes fit; an entry that is larger than all the room waits for all."""
        while self._waiting and self._bytes + size > MOST_BYTES:
            left = self._written + PATIENCE_SECONDS - time.monotonic()
            if left <= 0:
                return False
            self._changed.wait(left)
        return True

    def _knows(self, prediction: str) -> bool:
        with self._changed:
            if prediction in self._ids:
                return True
        query = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.id == prediction)
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).first() is not None
        except SQLAlchemyError as error:
            raise LogUnavailableError(why(error)) from None

    def _create_tables(self) -> None:
        try:
            TABLES.create_all(self._engine)
        except Exception as error:  # noqa: BLE001 -- whatever a driver raises, it is tried again
            logger.warning(
                "The prediction log does not answer (%s); it is tried again.", why(error)
            )
        self._asked.set()

    def _run(self) -> None:
        self._create_tables()
        while batch := self._next_batch():
            try:
                self._insert(batch)
            except Exception as error:  # noqa: BLE001 -- whatever a driver raises, the rows are kept
                self._failures += 1
                if self._failures == 1:
                    logger.warning(
                        "The prediction log does not answer (%s); rows are kept and tried again.",
                        why(error),
                    )
                self._pause()
            else:
                if self._failures:
                    logger.info("The prediction log answers again.")
                self._failures = 0
                self._forget(batch)

    def _next_batch(self) -> list[Entry]:
        """Wait for rows and let more gather; no rows means that all is written and closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: self._closing or self._rows >= BATCH, FLUSH_SECONDS)
            batch, rows = [], 0
            for entry in self._waiting:
                batch.append(entry)
                rows += len(entry.rows)
                if rows >= BATCH:
                    break
            return batch

    def _insert(self, batch: list[Entry]) -> None:
        rows: dict[sa.Table, list[dict[str, Any]]] = {PREDICTIONS: [], FEEDBACK: [], SHADOW: []}
        for entry in batch:
            rows[entry.table] += entry.rows
        if self._failures:
            TABLES.create_all(self._engine)  # the database may be new, or have been away at start
            self._leave_out_known(rows[PREDICTIONS])
        write_rows(self._engine, rows)

    def _leave_out_known(self, predictions: list[dict[str, Any]]) -> None:
        """Leave out what is there already: the last commit may have failed only in its answer."""
        ids = [row["id"] for row in predictions]
        with self._engine.connect() as connection:
            there = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.id.in_(ids))
            known = set(connection.scalars(there))
        predictions[:] = [row for row in predictions if row["id"] not in known]

    def _forget(self, batch: list[Entry]) -> None:
        with self._changed:
            for entry in batch:
                self._waiting.popleft()
                self._rows -= len(entry.rows)
                self._bytes -= entry.size
                if entry.table is PREDICTIONS:
                    self._ids.difference_update(row["id"] for row in entry.rows)
            self._written = time.monotonic()
            self._changed.notify_all()

    def _pause(self) -> None:
        delay = min(0.1 * 2 ** min(self._failures, 10), LONGEST_DELAY)
        with self._changed:
            if not self._changed.wait_for(lambda: self._closing, delay):
                return
        time.sleep(0.2)  # closing: try often, as little time is left


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
