"""Shadow mode: the challenger answers what the champion was asked, in the log only."""

import logging
import queue
import threading
import time
from typing import Any

import pandas as pd

from ...errors import UserError
from ...modeling.predictor import LoadPredictor, Predictor
from ...modeling.store import challenger
from ...problem.project import Project
from .answered import Answered
from . import forecast_requests, row_requests
from .champion import RETRY_SECONDS
from .log_writer import LogWriter

POLL_SECONDS = 1.0
MOST_WAITING = 100  # requests; what comes while so many wait is not asked

logger = logging.getLogger(__name__)

Logged = dict[str, Answered]  # by the id of the champion's prediction


class Shadow:
    """Follows models/challenger.json, and answers in a thread of its own.

    No caller waits for it, and whatever goes wrong in it changes no answer.

    Attributes
    ----------
    rows, different, lost
        How many rows it answered, in how many of them its prediction was another than the
        champion's, and how many it did not answer: too many waited, it failed, or it could not be
        loaded.
    """

    def __init__(self, project: Project, log: LogWriter, load_predictor: LoadPredictor) -> None:
        self._load_predictor = load_predictor
        series = project.definition.problem.of_series
        self._requests = forecast_requests if series else row_requests
        self._project = project
        self._log = log
        self._predictor: Predictor | None = None
        self._failed: str | None = None
        self._problem = ""
        self._retry_at = 0.0
        self.rows = self.different = self.lost = 0
        self._waiting: queue.Queue[tuple[Any, Logged]] = queue.Queue(MOST_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Load the challenger, if there is one, and begin."""
        self._follow()
        self._thread.start()

    def close(self) -> None:
        """Stop; what waits is left unanswered."""
        self._stop.set()
        self._thread.join()

    @property
    def version(self) -> str | None:
        """The challenger that answers; None if there is none."""
        predictor = self._predictor
        return predictor.version if predictor else None

    def ask(self, asked: Any, answered: Logged) -> None:
        """Take what the champion was asked and answered; returns at once."""
        if self._predictor is None:
            self.lost += len(answered) if self._failed else 0
            return
        try:
            self._waiting.put_nowait((asked, answered))
        except queue.Full:
            self.lost += len(answered)
            logger.debug("The challenger is slower than the requests; some are not asked of it.")

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._answer(*self._waiting.get(timeout=POLL_SECONDS))
            except queue.Empty:
                self._follow()

    def _answer(self, asked: Any, answered: Logged) -> None:
        self._follow()
        predictor = self._predictor
        if predictor is None:
            return
        try:
            predictions = _records(self._requests.ask_beside(predictor, asked, answered))
            self._log.write_shadow(predictor.version, predictions)
            self.rows += len(predictions)
            self.different += sum(
                given["prediction"] != answered[key].answer["prediction"]
                for key, given in predictions.items()
            )
        except Exception:  # the champion has answered, so nobody else is concerned
            self.lost += len(answered)
            logger.exception("The challenger %s cannot answer.", predictor.version)

    def _follow(self) -> None:
        version = None
        try:
            version = challenger(self._project.models)
            serving = self._predictor.version if self._predictor else None
            failed = version is not None and version == self._failed
            if version == serving or (failed and time.monotonic() < self._retry_at):
                return
            self._predictor = self._load_predictor(self._project.models / version) if version else None
            self._failed, self._problem = None, ""
            logger.info("In the shadow answers %s.", version or "no version")
        except (UserError, OSError) as error:
            self._predictor, self._failed = None, version
            self._retry_at = time.monotonic() + RETRY_SECONDS
            problem = f"The challenger {version or ''}".rstrip() + f" cannot be loaded: {error}"
            if problem != self._problem:
                logger.warning("%s", problem)
            self._problem = problem


def _records(predictions: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return rows by their index as JSON has them, which knows no NaN."""
    plain = predictions.astype(object).where(predictions.notna(), None)
    return {
        key: {str(name): value for name, value in row.items()}
        for key, row in zip(plain.index, plain.to_dict("records"), strict=True)
    }
