"""Writes the log of predictions in a thread, so that no response waits for the database."""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ...errors import UserError
from ..prediction_log import (
    FEEDBACK,
    PREDICTIONS,
    SHADOW,
    find_predictions,
    prediction_rows,
    shadow_rows,
    write_once,
    write_rows,
)
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
UNAVAILABLE = "The prediction log does not answer; send it again later."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """Rows of a table that came together."""

    table: sa.Table
    rows: list[dict[str, Any]]
    size: int  # in bytes


class LogWriter:
    """Writes predictions and feedback in the order they come, many in one transaction.

    Where rows come faster than the database takes them, whoever brings them waits. While it is
    locked or away, rows stay in memory and are tried again; once the memory is full, new ones are
    dropped and counted, because the service is to go on.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._worker = Worker("log-writer", self._write, lambda e: e.size, BATCH_BYTES, MOST_BYTES)
        self._ready = self._dropped = False
        self._failures = 0
        metrics.LOG_WAITING_ROWS.set_function(self._waiting_rows)

    def start(self) -> None:
        """Begin with the tables: if the database does not answer, it is to be known early."""
        self._worker.start()
        self._put(PREDICTIONS, [])

    def write(
        self,
        version: str,
        inputs: Iterable[dict[str, Any]],
        predictions: Mapping[str, dict[str, Any]],
    ) -> None:
        """Take predictions to write; returns at once, unless too many wait."""
        self._put(PREDICTIONS, prediction_rows(version, inputs, predictions))

    def write_shadow(self, version: str, predictions: Mapping[str, dict[str, Any]]) -> None:
        """Take what the challenger predicted, by the id of the champion's prediction."""
        self._put(SHADOW, shadow_rows(version, predictions))

    def write_feedback(self, prediction: str, actual: str | float) -> None:
        """Take the true label of a prediction.

        Raises
        ------
        RequestError
            If its id is not known, the database does not answer, or the memory is full.
        """
        try:
            known = self._waits(prediction) or len(find_predictions(self._engine, [prediction]))
        except UserError:
            raise RequestError(503, UNAVAILABLE) from None
        if not known:
            raise RequestError(404, f'There is no prediction with the id "{prediction[:64]}".')
        now = datetime.now(UTC).replace(tzinfo=None)
        row = {"prediction": prediction, "at": now, "actual": json.dumps(actual)}
        if not self._put(FEEDBACK, [row]):
            raise RequestError(503, UNAVAILABLE)

    def close(self) -> None:
        """Write all that waits, as far as the time allows, and stop."""
        self._worker.close(CLOSE_SECONDS)
        if lost := self._waiting_rows():
            logger.error("The prediction log does not answer; %d rows are lost.", lost)
        self._engine.dispose()

    def _put(self, table: sa.Table, rows: list[dict[str, Any]]) -> bool:
        """Queue rows that came together; return False if they had to be dropped."""
        texts = (value for row in rows for value in row.values() if isinstance(value, str))
        entry = Entry(table, rows, ROW_BYTES * len(rows) + sum(map(len, texts)))
        if self._worker.put(entry, seconds=0 if self._failures else PATIENCE_SECONDS):
            return True
        if not self._dropped:
            logger.error("Too many rows wait for the prediction log; new ones are dropped.")
        self._dropped = True
        metrics.LOG_DROPPED_ROWS.inc(len(rows))
        return False

    def _waiting_rows(self) -> int:
        return sum(len(entry.rows) for entry in self._worker.unfinished())

    def _waits(self, prediction: str) -> bool:
        entries = self._worker.unfinished()
        return any(prediction == row.get("id") for entry in entries for row in entry.rows)

    def _write(self, entries: list[Entry]) -> None:
        """Write rows in one transaction, as often as it takes."""
        rows: dict[sa.Table, list[dict[str, Any]]] = {PREDICTIONS: [], FEEDBACK: [], SHADOW: []}
        for entry in entries:
            rows[entry.table] += entry.rows
        while not self._wrote(rows):
            delay = min(0.1 * 2 ** min(self._failures, 10), LONGEST_DELAY)
            if self._worker.closing.wait(delay):
                time.sleep(0.2)  # try often, as little time is left
        self._worker.closing.wait(GATHER_SECONDS)

    def _wrote(self, rows: dict[sa.Table, list[dict[str, Any]]]) -> bool:
        """Try to write rows; return whether that succeeded."""
        try:
            # The last commit may have failed only in its answer, and the database may be new.
            (write_rows if self._ready and not self._failures else write_once)(self._engine, rows)
        except Exception as error:  # noqa: BLE001 -- whatever a driver raises, the rows are kept
            if not self._failures:
                logger.warning("%s Rows are kept meanwhile.", error)
            self._failures += 1
            return False
        if self._failures:
            logger.info("The prediction log answers again.")
        self._ready, self._failures = True, 0
        return True
