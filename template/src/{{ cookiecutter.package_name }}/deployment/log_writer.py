"""Writes the log of predictions beside the service, so that no answer waits for the database."""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .prediction_log import FEEDBACK, PREDICTIONS, SHADOW, TABLES, why

FLUSH_SECONDS = 0.05  # how long rows gather before they are written
LONGEST_DELAY = 5.0  # seconds between tries while the database does not answer
CLOSE_SECONDS = 20.0  # an orchestrator kills 30 seconds after SIGTERM
BATCH = 1000  # rows in one transaction
MOST_BYTES = 64 * 2**20  # what may wait in memory
ROW_BYTES = 1000  # what a waiting row costs beside its text

logger = logging.getLogger(__name__)


class LogUnavailableError(Exception):
    """The database does not answer."""


@dataclass(frozen=True)
class Entry:
    """A row on its way to a table."""

    table: sa.Table
    row: dict[str, Any]
    size: int


class LogWriter:
    """Writes predictions and feedback in the order they come, many in one transaction.

    While the database is locked or away the rows are kept and tried again; when too many wait,
    new ones are dropped and counted.

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
        self._bytes = 0
        self._failures = 0
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def start(self) -> None:
        """Create the tables, if the database answers, and begin to write."""
        try:
            TABLES.create_all(self._engine)
        except SQLAlchemyError as error:
            logger.warning(
                "The prediction log does not answer (%s); it is tried again.", why(error)
            )
        self._thread.start()

    def __len__(self) -> int:
        """Return how many rows wait."""
        return len(self._waiting)

    def write(
        self, version: str, inputs: Iterable[dict[str, Any]], answers: Mapping[str, dict[str, Any]]
    ) -> None:
        """Take predictions to write; returns at once.

        Parameters
        ----------
        version
            The version that answered.
        inputs
            The rows that were asked.
        answers
            What was answered to each of them, by the id of the prediction.
        """
        now = _now()
        for asked, (key, answer) in zip(inputs, answers.items(), strict=True):
            given, answered = json.dumps(asked), json.dumps(answer)
            row = {"id": key, "at": now, "version": version, "inputs": given, "answer": answered}
            self._put(Entry(PREDICTIONS, row, ROW_BYTES + len(given) + len(answered)))

    def write_shadow(self, version: str, answers: Mapping[str, dict[str, Any]]) -> None:
        """Take what the challenger answered, by the id of the champion's prediction."""
        for key, answer in answers.items():
            answered = json.dumps(answer)
            row = {"prediction": key, "version": version, "answer": answered}
            self._put(Entry(SHADOW, row, ROW_BYTES + len(answered)))

    def write_feedback(self, prediction: str, actual: str | float) -> bool:
        """Take what a prediction turned out to be; return False if its id is not known.

        Raises
        ------
        LogUnavailableError
            If the id has to be looked up and the database does not answer.
        """
        if not self._knows(prediction):
            return False
        row = {"prediction": prediction, "at": _now(), "actual": json.dumps(actual)}
        self._put(Entry(FEEDBACK, row, ROW_BYTES))
        return True

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write all that waits, trying for so many seconds, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        if self._waiting:
            logger.error("The prediction log does not answer; %d rows are lost.", len(self))
        self._engine.dispose()

    def _put(self, entry: Entry) -> None:
        with self._changed:
            if self._bytes + entry.size > MOST_BYTES:
                if not self.dropped:
                    logger.error("Too many rows wait for the prediction log; new ones are dropped.")
                self.dropped += 1
                return
            self._waiting.append(entry)
            self._bytes += entry.size
            if entry.table is PREDICTIONS:
                self._ids.add(entry.row["id"])
            self._changed.notify()

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

    def _run(self) -> None:
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
            if not self._closing and len(self._waiting) < BATCH:
                self._changed.wait_for(
                    lambda: self._closing or len(self._waiting) >= BATCH, FLUSH_SECONDS
                )
            return list(islice(self._waiting, BATCH))

    def _insert(self, batch: list[Entry]) -> None:
        predictions = [entry.row for entry in batch if entry.table is PREDICTIONS]
        others = {
            table: [entry.row for entry in batch if entry.table is table]
            for table in (FEEDBACK, SHADOW)
        }
        if self._failures:
            TABLES.create_all(self._engine)  # the database may be new, or have been away at start
        with self._engine.begin() as connection:
            if self._failures and predictions:  # the last commit may have failed only in its answer
                ids = [row["id"] for row in predictions]
                there = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.id.in_(ids))
                known = set(connection.scalars(there))
                predictions = [row for row in predictions if row["id"] not in known]
            if predictions:
                connection.execute(PREDICTIONS.insert(), predictions)
            for table, rows in others.items():
                if rows:
                    connection.execute(table.insert(), rows)

    def _forget(self, batch: list[Entry]) -> None:
        with self._changed:
            for entry in batch:
                self._waiting.popleft()
                self._bytes -= entry.size
                if entry.table is PREDICTIONS:
                    self._ids.discard(entry.row["id"])

    def _pause(self) -> None:
        delay = min(0.1 * 2 ** min(self._failures, 10), LONGEST_DELAY)
        with self._changed:
            if not self._changed.wait_for(lambda: self._closing, delay):
                return
        time.sleep(0.2)  # closing: try often, as little time is left


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
