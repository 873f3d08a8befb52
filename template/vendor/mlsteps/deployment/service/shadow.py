"""Shadow mode: the challenger predicts what the champion predicted, in the log only."""

import logging
import threading
from typing import Any

import pandas as pd

from ...modeling.predictor import Predictor
from .champion import FollowedVersion
from .log_writer import LogWriter
from .served_model import Prediction, ServedModel
from .work_queue import WorkQueue

MOST_WAITING = 100  # requests; those that come while so many wait are left out

logger = logging.getLogger(__name__)

Work = tuple[ServedModel, Any, dict[str, Prediction]]  # a request, its predictions by their ids


class Shadow:
    """Lets a challenger predict in a thread of its own.

    No caller waits for it, and whatever goes wrong in it changes no response.

    Attributes
    ----------
    rows, different, lost
        How many rows it predicted, how many of them otherwise than the champion, and how many it
        did not predict: too many waited, it failed, or it could not be loaded.
    """

    def __init__(self, challenger: FollowedVersion[Predictor], log: LogWriter) -> None:
        self._challenger = challenger
        self._log = log
        self.rows = self.different = self.lost = 0

    def start(self) -> None:
        """Begin."""
        self._queue: WorkQueue[Work] = WorkQueue(room=MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what waits is left out."""
        self._queue.close()
        self._thread.join()

    def submit(
        self, champion: ServedModel, request: Any, predictions: dict[str, Prediction]
    ) -> None:
        """Take what the champion predicted; returns at once."""
        work = (champion, request, predictions)
        if self._challenger.model and not self._challenger.problem:
            self.lost += 0 if self._queue.put([(work, 1)]) else len(predictions)
        elif self._challenger.problem:
            self.lost += len(predictions)

    def _run(self) -> None:
        while (work := self._queue.take(1)) and not self._queue.closed:
            for champion, request, predictions in work:
                self._predict(champion, request, predictions)

    def _predict(
        self, champion: ServedModel, request: Any, predictions: dict[str, Prediction]
    ) -> None:
        predictor = self._challenger.model
        if predictor is None:
            return
        try:
            found = _records(champion.predict_shadow(predictor, request, predictions))
            self._log.write_shadow(predictor.version, found)
            self.rows += len(found)
            self.different += sum(
                one["prediction"] != predictions[key].logged["prediction"]
                for key, one in found.items()
            )
        except Exception:  # nobody waits for it
            self.lost += len(predictions)
            logger.exception("The challenger %s cannot predict.", predictor.version)


def _records(predictions: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return rows by their index as JSON has them, which knows no NaN."""
    plain = predictions.astype(object).where(predictions.notna(), None)
    return {
        key: {str(name): value for name, value in row.items()}
        for key, row in zip(plain.index, plain.to_dict("records"), strict=True)
    }
