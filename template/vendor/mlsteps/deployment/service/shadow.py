"""Shadow mode: the challenger predicts what the champion predicted, in the log only."""

import logging
from typing import Any

from ...modeling.predictor import Predictor
from ..log_tables import PREDICTIONS
from ..prediction_log import records, shadow_rows
from . import metrics
from .champion import FollowedVersion
from .log_writer import LogWriter
from .served_model import Prediction, ServedModel
from .worker import Worker

MOST_WAITING = 100  # requests; those that come while so many wait are left out

logger = logging.getLogger(__name__)

Work = tuple[ServedModel, Any, dict[str, Prediction]]  # a request, its predictions by their ids


class Shadow(Worker[Work]):
    """Lets a challenger predict in a thread of its own.

    No caller waits for it, and whatever goes wrong in it changes no response.
    """

    def __init__(self, challenger: FollowedVersion[Predictor], log: LogWriter) -> None:
        super().__init__("shadow", self._predict, lambda _: 1, most=1, room=MOST_WAITING)
        self._challenger = challenger
        self._log = log

    def submit(
        self, champion: ServedModel, request: Any, predictions: dict[str, Prediction]
    ) -> None:
        """Take what the champion predicted; returns at once."""
        if self._challenger.problem or (
            self._challenger.model and not self.put((champion, request, predictions))
        ):
            metrics.SHADOW_LOST_ROWS.inc(len(predictions))

    def _predict(self, work: list[Work]) -> None:
        predictor = self._challenger.model
        if predictor is None or self.closing.is_set():
            return
        for champion, request, predictions in work:
            try:
                made = champion.predict_shadow(predictor, request, predictions)
                found = dict(zip(made.index, records(made), strict=True))
                self._log.add(PREDICTIONS, shadow_rows(predictor.version, found))
            except Exception:  # nobody waits for it
                metrics.SHADOW_LOST_ROWS.inc(len(predictions))
                logger.exception("The challenger %s cannot predict.", predictor.version)
                continue
            metrics.SHADOW_ROWS.inc(len(found))
            champions = {key: predictions[key].logged["prediction"] for key in found}
            different = [key for key, one in found.items() if one["prediction"] != champions[key]]
            metrics.SHADOW_DIFFERENT_ROWS.inc(len(different))
