"""Writes the log of predictions in a thread, so that no response waits for the database."""

import json
import logging
import threading
import time
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
from .responses import RequestError
from .work_queue import WorkQueue

START_SECONDS = 1.0  # how long the start of the service waits for the tables
GATHER_SECONDS = 0.05  # rows of so long go into one transaction
LONGEST_DELAY = 5.0  # seconds between tries while the database does not answer
CLOSE_SECONDS = 20.0  # an orchestrator kills some time after SIGTERM
MOST_BYTES = 64 * 2**20  # what may wait in memory
BATCH_BYTES = 8 * 2**20  # in one transaction
PATIENCE_SECONDS = 10.0  # how long a full queue is waited for while the database answers
ROW_BYTES = 1000  # what a waiting row costs, its text apart
UNAVAILABLE = "The prediction log does not answer; send it again later."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """Rows of a table that came together."""

    table: sa.Table
    rows: list[dict[str, Any]]


class LogWriter:
    """Writes predictions and feedback in the order they come, many in one transaction.

    Where rows come faster than the database takes them, whoever brings them waits. While it is
    locked or away, rows stay in memory and are tried again; once the memory is full, new ones are
    dropped and counted, because the service is to go on.

    Attributes
    ----------
    dropped
        How many rows were lost.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.dropped = 0
        self._engine = engine
        self._queue: WorkQueue[Entry] = WorkQueue()
        self._ids: set[str] = set()  # of the predictions that wait
        self._rows = 0
        self._failures = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to write; the tables are there by then, if the database answers at once."""
        self._queue = WorkQueue(room=MOST_BYTES)
        tried = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(tried,), name="log-writer", daemon=True
        )
        self._thread.start()
        tried.wait(START_SECONDS)

    def __len__(self) -> int:
        """Return how many rows wait."""
        return self._rows

    def write(
        self,
        version: str,
        inputs: Iterable[dict[str, Any]],
        predictions: Mapping[str, dict[str, Any]],
    ) -> None:
        """Take predictions to write; returns at once, unless too many wait."""
        rows = prediction_rows(version, inputs, predictions)
        size = sum(ROW_BYTES + len(row["inputs"]) + len(row["answer"]) for row in rows)
        self._put(Entry(PREDICTIONS, rows), size)

    def write_shadow(self, version: str, predictions: Mapping[str, dict[str, Any]]) -> None:
        """Take what the challenger predicted, by the id of the champion's prediction."""
        rows = shadow_rows(version, predictions)
        self._put(Entry(SHADOW, rows), sum(ROW_BYTES + len(row["answer"]) for row in rows))

    def write_feedback(self, prediction: str, actual: str | float) -> None:
        """Take the true label of a prediction.

        Raises
        ------
        RequestError
            If its id is not known, the database does not answer, or the memory is full.
        """
        if not self._knows(prediction):
            raise RequestError(404, f'There is no prediction with the id "{prediction[:64]}".')
        row = {"prediction": prediction, "at": _now(), "actual": json.dumps(actual)}
        if not self._put(Entry(FEEDBACK, [row]), ROW_BYTES):
            raise RequestError(503, UNAVAILABLE)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write all that waits, trying for so many seconds, and stop."""
        self._queue.close()
        self._thread.join(seconds)
        if len(self):
            logger.error("The prediction log does not answer; %d rows are lost.", len(self))
        self._engine.dispose()

    def _put(self, entry: Entry, size: float) -> bool:
        """Queue rows that came together; return False if they had to be dropped."""
        ids = {row["id"] for row in entry.rows} if entry.table is PREDICTIONS else set()
        self._count(len(entry.rows), ids)
        if self._queue.put([(entry, size)], 0 if self._failures else PATIENCE_SECONDS):
            return True
        self._count(-len(entry.rows), ids)
        if not self.dropped:
            logger.error("Too many rows wait for the prediction log; new ones are dropped.")
        self.dropped += len(entry.rows)
        return False

    def _count(self, rows: int, ids: set[str]) -> None:
        with self._lock:
            self._rows += rows
            (self._ids.update if rows > 0 else self._ids.difference_update)(ids)

    def _knows(self, prediction: str) -> bool:
        if prediction in self._ids:
            return True
        query = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.id == prediction)
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).first() is not None
        except SQLAlchemyError:
            raise RequestError(503, UNAVAILABLE) from None

    def _run(self, tried: threading.Event) -> None:
        try:
            TABLES.create_all(self._engine)
        except Exception as error:  # noqa: BLE001 -- whatever a driver raises, it is tried again
            logger.warning(
                "The prediction log does not answer (%s); it is tried again.", why(error)
            )
        tried.set()
        while entries := self._queue.take(BATCH_BYTES):
            rows: dict[sa.Table, list[dict[str, Any]]] = {PREDICTIONS: [], FEEDBACK: [], SHADOW: []}
            for entry in entries:
                rows[entry.table] += entry.rows
            ids = {row["id"] for row in rows[PREDICTIONS]}
            self._insist(rows)
            self._count(-sum(map(len, rows.values())), ids)
            self._queue.wait_closed(GATHER_SECONDS)

    def _insist(self, rows: dict[sa.Table, list[dict[str, Any]]]) -> None:
        """Write rows, as often as it takes."""
        while True:
            try:
                new = dict(rows)
                if self._failures:
                    TABLES.create_all(self._engine)  # the database may be new, or was away at start
                    new[PREDICTIONS] = self._unknown(rows[PREDICTIONS])
                write_rows(self._engine, new)
            except Exception as error:  # noqa: BLE001 -- whatever a driver raises, the rows are kept
                self._failures += 1
                if self._failures == 1:
                    logger.warning(
                        "The prediction log does not answer (%s); rows are kept and tried again.",
                        why(error),
                    )
                delay = min(0.1 * 2 ** min(self._failures, 10), LONGEST_DELAY)
                if self._queue.wait_closed(delay):
                    time.sleep(0.2)  # closing: try often, as little time is left
            else:
                if self._failures:
                    logger.info("The prediction log answers again.")
                self._failures = 0
                return

    def _unknown(self, predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return those that are not there: the last commit may have failed only in its answer."""
        ids = [row["id"] for row in predictions]
        with self._engine.connect() as connection:
            there = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.id.in_(ids))
            known = set(connection.scalars(there))
        return [row for row in predictions if row["id"] not in known]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
