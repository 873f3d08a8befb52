"""What the service does, apart from HTTP: from the bytes of a request to a status and an answer.

The HTTP frameworks only carry these functions, so they all answer alike.
"""

import json
import logging
import math
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import pandas as pd

from ..preparation.schema import ConversionError
from ..problem.project import Project
from .champion import ChampionWatch
from .contract import read_feedback
from .log_writer import LogUnavailableError, LogWriter
from .metrics import Metrics
from .openapi import document
from .prediction_log import open_log
from .wrong_input import WrongInputError, wrong_values

Answer = tuple[int, dict[str, Any]]

NO_MODEL = "There is no model yet; train and promote one with `run`."
FAILED = "The service failed to answer; its log says why."

logger = logging.getLogger(__name__)


class Service:
    """The endpoints. Enter it before the first request; leaving it writes the log to its end.

    Attributes
    ----------
    max_bytes
        A body that is longer is refused.
    """

    def __init__(self, project: Project) -> None:
        self.max_bytes = int(project.definition.serving.max_megabytes * 1e6)
        self._watch = ChampionWatch(project)
        self._log = LogWriter(open_log(project))
        self.metrics = Metrics(self._watch, self._log)

    def __enter__(self) -> Self:
        self._log.start()
        self._watch.start()
        if self._watch.serving is None:
            logger.warning("%s", self._watch.problem or NO_MODEL)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watch.close()
        self._log.close()

    def predict(self, body: bytes) -> Answer:
        """Answer ``POST /predict``."""
        return _safely(lambda: self._predict(body))

    def feedback(self, body: bytes) -> Answer:
        """Answer ``POST /feedback``."""
        return _safely(lambda: self._feedback(body))

    def model(self) -> Answer:
        """Answer ``GET /model``."""
        serving = self._watch.serving
        return (200, serving.description) if serving else (503, {"detail": NO_MODEL})

    def live(self) -> Answer:
        """Answer ``GET /health/live``: the process works."""
        return 200, {"status": "live"}

    def ready(self) -> Answer:
        """Answer ``GET /health/ready``: there is a model, so requests may come."""
        serving = self._watch.serving
        trouble = {"detail": self._watch.problem} if self._watch.problem else {}
        if serving is None:
            return 503, {"status": "not ready", "detail": NO_MODEL, **trouble}
        return 200, {"status": "ready", "model": serving.predictor.version, **trouble}

    def too_large(self) -> Answer:
        """Answer a body that is longer than `max_bytes`."""
        limit = f"{self.max_bytes / 1e6:g}"
        return 413, {"detail": f"The body is larger than {limit} MB; send the rows in parts."}

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the row of the model that serves."""
        serving = self._watch.serving
        body = serving.contract.body if serving else None
        classes = serving.description["classes"] if serving else []
        return document(body, classes, self.max_bytes)

    def _predict(self, body: bytes) -> Answer:
        serving = self._watch.serving
        if serving is None:
            return 503, {"detail": NO_MODEL}
        version, contract = serving.predictor.version, serving.contract
        rows = contract.rows(body)
        try:
            answers = _records(serving.predictor.predict(contract.frame(rows)))
        except ConversionError as error:
            at = [int(row) for row in error.rows]
            given = [rows[row][error.name] for row in at]
            raise wrong_values(error.expected, error.name, at, given) from None
        logged = {uuid4().hex: answer for answer in answers}
        self._log.write(version, rows, logged)
        self.metrics.predicted(len(rows))
        predictions = [
            {"id": key, **answer, **_if_any("warnings", contract.warnings(row))}
            for row, (key, answer) in zip(rows, logged.items(), strict=True)
        ]
        return 200, {"model": version, "predictions": predictions}

    def _feedback(self, body: bytes) -> Answer:
        serving = self._watch.serving
        if serving is None:
            return 503, {"detail": NO_MODEL}
        prediction, actual = read_feedback(body, serving.description["classes"])
        try:
            known = self._log.write_feedback(prediction, actual)
        except LogUnavailableError:
            return 503, {"detail": "The prediction log does not answer; send it again later."}
        if not known:
            return 404, {"detail": f'There is no prediction with the id "{prediction[:64]}".'}
        return 200, {"id": prediction, "actual": actual}


def to_json(content: Any) -> bytes:
    """Write an answer as JSON; every framework sends these bytes."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _safely(answer: Callable[[], Answer]) -> Answer:
    try:
        return answer()
    except WrongInputError as error:
        return 422, {"detail": error.detail}
    except Exception:  # the caller gets a sentence, the log the trace
        logger.exception("A request could not be answered.")
        return 500, {"detail": FAILED}


def _records(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON has them: NaN and infinity become null."""
    columns = [[_plain(value) for value in answers[name].tolist()] for name in answers]
    names = [str(name) for name in answers]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _if_any(name: str, values: list[str]) -> dict[str, list[str]]:
    return {name: values} if values else {}
