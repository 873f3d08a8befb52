"""What the service does, apart from HTTP: from the bytes of a request to a reply.

The HTTP frameworks only carry these functions, so they all answer alike.
"""

import asyncio
import gc
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from types import TracebackType
from typing import Any, Self

from ...modeling.predictor import LoadPredictor
from ...problem.project import Project
from ..prediction_log import log_engine
from .answered import Answered
from . import forecast_requests, row_requests
from .champion import ChampionWatch, Serving
from .front import Front
from .gather import Gatherer
from .log_writer import LogUnavailableError, LogWriter
from .metrics import CONTENT_TYPE, Metrics
from .openapi import document
from .page import docs, page
from .reply import Refusal, Reply, json_reply
from .shadow import Shadow

Page = Callable[[], Reply]

NO_MODEL = "There is no model yet; train and promote one with `run`."
NO_LOG = "The prediction log does not answer; send it again later."
TOO_SLOW = "It took too long; send it again later."
FAILED = "The service failed to answer; its log says why."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Question:
    """What waits for the model that it was checked for."""

    serving: Serving
    asked: Any

    def __len__(self) -> int:
        return len(self.asked)


class Service:
    """The endpoints. Enter it before the first request; leaving it writes the log to its end.

    Attributes
    ----------
    front
        What requests pass before they come here.
    max_bytes, max_seconds
        A body that is longer is refused, and so is what takes longer to come or to be answered.
    pages
        What ``GET`` answers, by path.

    Raises
    ------
    UserError
        If ``[serving]`` names a log or keys that cannot be used.
    """

    def __init__(self, project: Project, load_predictor: LoadPredictor) -> None:
        series = project.definition.problem.of_series
        self._requests = forecast_requests if series else row_requests
        settings = project.definition.serving
        self.max_bytes = int(settings.max_megabytes * 1e6)
        self.max_seconds = settings.max_seconds
        self._watch = ChampionWatch(project, load_predictor)
        self._log = LogWriter(log_engine(project))
        self._shadow = Shadow(project, self._log, load_predictor)
        self._gatherer = Gatherer(self._answer)
        self._metrics = Metrics(project, self._watch, self._log, self._gatherer, self._shadow)
        self.pages: dict[str, Page] = {
            "/model": self._model,
            "/metrics": self._measures,
            "/health/live": self._live,
            "/health/ready": self._ready,
        }
        if settings.page:
            self.pages["/"] = partial(page, self._requests.PAGE)
        if settings.docs:
            self.pages |= {"/docs": docs, "/openapi.json": self._openapi}
        self.front = Front(settings, self._metrics, {"/predict", "/feedback", *self.pages})

    def __enter__(self) -> Self:
        self._log.start()
        self._watch.start()
        self._shadow.start()
        self._gatherer.start()
        if self._watch.serving is None:
            logger.warning("%s", self._watch.problem or NO_MODEL)
        # Libraries are here to stay; to look through them for garbage stops all for 0.1 seconds.
        gc.collect()
        gc.freeze()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gatherer.close()
        self._shadow.close()
        self._watch.close()
        self._log.close()

    def predict(self, body: bytes) -> Reply:
        """Answer ``POST /predict``."""
        try:
            return self._gatherer.ask(self._question(body)).result(self.max_seconds)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer
            return _refused(error)

    async def predict_async(self, body: bytes) -> Reply:
        """Answer ``POST /predict``, and let others be answered meanwhile."""
        try:
            async with asyncio.timeout(self.max_seconds):
                return await self._gatherer.ask_in_turn(self._question(body))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer
            return _refused(error)

    def feedback(self, body: bytes) -> Reply:
        """Answer ``POST /feedback``."""
        try:
            return self._feedback(body)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer
            return _refused(error)

    def _question(self, body: bytes) -> Question:
        serving = self._serving_for(body)
        return Question(serving, serving.contract.rows(body))

    def _answer(self, questions: list[Question]) -> list[Reply]:
        """Answer questions that waited together, with one call of each model that is asked."""
        replies: list[Reply] = []
        for _, same in groupby(questions, key=lambda question: id(question.serving)):
            replies += self._answer_with_one(list(same))
        return replies

    def _answer_with_one(self, questions: list[Question]) -> list[Reply]:
        serving = questions[0].serving
        with self._metrics.model_call(sum(map(len, questions))):
            answered = self._requests.answer(
                serving.predictor, serving.contract, [question.asked for question in questions]
            )
        named, version = _name(answered), serving.predictor.version
        self._note(version, {key: one for each in named for key, one in each.items()})
        for question, each in zip(questions, named, strict=True):
            self._shadow.ask(question.asked, each)
        return [_reply(version, each) for each in named]

    def _note(self, version: str, answered: dict[str, Answered]) -> None:
        """Log and count predictions, all of one call at once."""
        rows = [each.row for each in answered.values()]
        self._log.write(version, rows, {key: each.answer for key, each in answered.items()})
        self._metrics.predicted(len(rows))

    def _feedback(self, body: bytes) -> Reply:
        prediction, actual = self._serving_for(body).contract.feedback(body)
        try:
            known = self._log.write_feedback(prediction, actual)
        except LogUnavailableError:
            raise Refusal(503, NO_LOG) from None
        if not known:
            raise Refusal(404, f'There is no prediction with the id "{prediction[:64]}".')
        self._metrics.took_feedback()
        return json_reply(200, {"id": prediction, "actual": actual})

    def _serving_for(self, body: bytes) -> Serving:
        """Return what serves now, unless the body is too long for it to be read."""
        if len(body) > self.max_bytes:
            limit = f"{self.max_bytes / 1e6:g}"
            raise Refusal(413, f"The body is larger than {limit} MB; send the rows in parts.")
        if self._watch.serving is None:
            raise Refusal(503, NO_MODEL)
        return self._watch.serving

    def _model(self) -> Reply:
        serving = self._watch.serving
        if serving is None:
            return json_reply(503, {"detail": NO_MODEL})
        return json_reply(200, serving.description)

    def _measures(self) -> Reply:
        return Reply(200, self._metrics.text(), {"Content-Type": CONTENT_TYPE})

    def _live(self) -> Reply:
        return json_reply(200, {"status": "live"})

    def _ready(self) -> Reply:
        serving = self._watch.serving
        trouble = {"detail": self._watch.problem} if self._watch.problem else {}
        if serving is None:
            return json_reply(503, {"status": "not ready", "detail": NO_MODEL, **trouble})
        return json_reply(200, {"status": "ready", "model": serving.predictor.version, **trouble})

    def _openapi(self) -> Reply:
        contract = self._watch.serving.contract if self._watch.serving else None
        return json_reply(200, document(contract, self.max_bytes, locked=self.front.locked))


def _refused(error: Exception) -> Reply:
    if isinstance(error, Refusal):
        return error.reply
    if isinstance(error, TimeoutError):
        return json_reply(503, {"detail": TOO_SLOW})
    logger.error("A request could not be answered.", exc_info=error)
    return json_reply(500, {"detail": FAILED})


def _name(answered: list[list[Answered]]) -> list[dict[str, Answered]]:
    """Give each prediction an id that cannot be guessed: whoever knows it can send its truth."""
    drawn = os.urandom(16 * sum(map(len, answered))).hex()
    ids = (drawn[start : start + 32] for start in range(0, len(drawn), 32))
    return [{next(ids): one for one in each} for each in answered]


def _reply(version: str, answered: dict[str, Answered]) -> Reply:
    predictions = [
        {"id": key, **each.shown, **_if_any("warnings", each.warnings)}
        for key, each in answered.items()
    ]
    return json_reply(200, {"model": version, "predictions": predictions})


def _if_any(name: str, values: list[str]) -> dict[str, list[str]]:
    return {name: values} if values else {}
