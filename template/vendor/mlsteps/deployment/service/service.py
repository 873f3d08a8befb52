"""The prediction service, apart from HTTP frameworks: from the bytes of a request to a response."""

import asyncio
import gc
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Self

from pydantic_core import from_json, to_json

from ...errors import UserError
from ...modeling import store
from ...modeling.predictor import LoadPredictor
from ...problem.project import Project
from ..log_tables import PREDICTIONS
from ..prediction_log import log_engine, prediction_rows
from . import metrics
from .batcher import Batcher
from .champion import FollowedVersion
from .log_writer import LogWriter
from .openapi import schemas
from .responses import HttpResponse, RequestError, json_response, page
from .served_model import ServedModel, ServedRowModel
from .shadow import Shadow
from .validation import invalid, shown

POLL_SECONDS = 1.0  # between looks at which versions are champion and challenger
METRICS_TYPE = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
NO_MODEL = "There is no model yet; train and promote one with `run`."
TOO_SLOW = "It took too long; send it again later."
FAILED = "The service failed to answer; its log says why."

Pages = dict[str, Callable[[], HttpResponse]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A checked request that waits for the model that checked it."""

    model: ServedModel
    request: Any
    explain: bool = False

    def __len__(self) -> int:
        return len(self.request)


class PredictionService:
    """Predicts with the champion, follows it, logs predictions and takes feedback.

    It is a context manager: entering it loads the champion and starts its threads, leaving it
    finishes what waits and writes the log to its end. It can be entered again.

    Parameters
    ----------
    project : Project
        Its ``[serving]`` has the limits and the log.
    load_predictor : callable
        Returns the predictor of a version's folder.

    Attributes
    ----------
    settings : Serving
        The ``[serving]`` of the project.
    max_bytes : int
        Of the body of a request.
    pages : dict of str to callable
        Functions of what ``GET`` responds, by path.

    Raises
    ------
    UserError
        If ``[serving] log`` cannot be used.
    """

    def __init__(self, project: Project, load_predictor: LoadPredictor) -> None:
        self.settings = project.definition.serving
        self.max_bytes = int(self.settings.max_megabytes * 1e6)
        self._project, self._load_predictor = project, load_predictor
        models = project.models
        self._champion: FollowedVersion[ServedModel] = FollowedVersion(
            "champion", self._named_champion, self._load
        )
        self._challenger: FollowedVersion[Any] = FollowedVersion(
            "challenger", partial(store.challenger, models), lambda v: load_predictor(models / v)
        )
        self._log = LogWriter(log_engine(project))
        self._shadow = Shadow(self._challenger, self._log)
        self._batcher = Batcher(self._predict)
        self._started = False
        self._starting = threading.Lock()
        self._stop = threading.Event()
        self.pages: Pages = {
            "/model": self.model,
            "/metrics": self.metrics_text,
            "/health/live": lambda: json_response(200, {"status": "live"}),
            "/health/ready": self.ready,
        }
        if self.settings.page:
            series = project.definition.problem.of_series
            self.pages["/"] = partial(page, "forecast.html" if series else "page.html")
        if self.settings.docs:
            self.pages["/docs"] = partial(page, "docs.html")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Load the champion and start the threads; a second call does nothing."""
        with self._starting:
            if self._started:
                return
            self._log.start()
            self._refresh()
            self._shadow.start()
            self._batcher.start()
            self._stop.clear()
            self._follower = threading.Thread(target=self._follow, name="follower", daemon=True)
            self._follower.start()
            self._started = True
        if self._champion.model is None and not self._champion.problem:
            logger.warning(NO_MODEL)
        # Libraries are here to stay; to look through them for garbage stops all for 0.1 seconds.
        gc.collect()
        gc.freeze()

    def close(self) -> None:
        """Predict what waits, write the log to its end and stop the threads."""
        with self._starting:
            if not self._started:
                return
            self._batcher.close()
            self._stop.set()
            self._follower.join()
            self._shadow.close()
            self._log.close()
            self._started = False

    def predict_json(self, content: dict[str, Any]) -> list[dict[str, Any]]:
        """Predict in an endpoint of your own; the predictions are logged like all others.

        Parameters
        ----------
        content : dict
            What the body of ``POST /predict`` may be: ``{"rows": [{...}]}`` say.

        Returns
        -------
        list of dict
            A prediction for each row, with its ``id``.

        Raises
        ------
        RequestError
            With what ``POST /predict`` would respond; uncaught, it is the response to the caller.

        Examples
        --------
        >>> service.predict_json({"rows": [{"age": 36, "income": 123}]})  # doctest: +SKIP
        [{'id': '9ed6cf084b314df099634502ed81668f', 'prediction': 'good', ...}]
        """
        body, status, _ = self.predict(to_json(content))
        found = from_json(body)
        if status != 200:
            raise RequestError(status, found["detail"])
        return list(found["predictions"])

    def predict(self, body: bytes, explain: str | None = None) -> HttpResponse:
        """Respond to ``POST /predict``, with ``?explain=true`` if that is what the caller asks."""
        try:
            job = self._job(body, explain)
            return self._batcher.submit(job).result(self.settings.max_seconds)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets a response
            return _error_response(error)

    async def predict_async(self, body: bytes, explain: str | None = None) -> HttpResponse:
        """Respond to ``POST /predict``, and let others get their responses meanwhile."""
        try:
            async with asyncio.timeout(self.settings.max_seconds):
                return await self._batcher.submit_async(self._job(body, explain))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets a response
            return _error_response(error)

    def feedback(self, body: bytes) -> HttpResponse:
        """Respond to ``POST /feedback``."""
        try:
            key, actual = self._model_for(body).read_feedback(body)
            self._log.add_feedback(key, actual)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets a response
            return _error_response(error)
        metrics.FEEDBACK.inc()
        return json_response(200, {"id": key, "actual": actual})

    def model(self) -> HttpResponse:
        """Respond to ``GET /model``."""
        model = self._champion.model
        return json_response(*((200, model.description) if model else (503, {"detail": NO_MODEL})))

    def metrics_text(self) -> HttpResponse:
        """Respond to ``GET /metrics``."""
        metrics.WAITING_REQUESTS.set(len(self._batcher))
        metrics.LOG_WAITING_ROWS.set(len(self._log))
        text = metrics.metrics_text(self._project.reports / "monitor.json")
        return HttpResponse(text, 200, METRICS_TYPE)

    def ready(self) -> HttpResponse:
        """Respond to ``GET /health/ready``."""
        version, problem = self._champion.version, self._champion.problem
        if version is None:
            return json_response(503, {"status": "not ready", "detail": problem or NO_MODEL})
        detail = {"detail": problem} if problem else {}
        return json_response(200, {"status": "ready", "model": version, **detail})

    def openapi_schemas(self) -> dict[str, Any]:
        """Return the schemas of bodies, with the row of the model that serves at the moment."""
        return schemas(self._champion.model)

    def _named_champion(self) -> str | None:
        """Return the version of champion.json; what serves stays if it or that is gone."""
        models, serving = self._project.models, self._champion.version
        version = store.champion(models)
        if serving and version is None:
            raise UserError(f"There is no {store.CHAMPION} any more; `promote VERSION` makes it.")
        if serving == version and version and not (models / version).is_dir():
            raise UserError(f"The folder of {version} is gone; bring it back, or promote another.")
        return version

    def _load(self, version: str) -> ServedModel:
        """Load a version and let it predict an example, so that the first caller need not wait."""
        definition = self._project.definition
        served: type[ServedModel] = ServedRowModel
        if definition.problem.of_series:
            from .forecast_requests import ServedForecastModel  # needs statsmodels

            served = ServedForecastModel
        predictor = self._load_predictor(store.version_folder(self._project.models, version))
        model = served(predictor, self.settings.max_rows, definition.data.missing)
        model.predict([model.read(to_json(predictor.example_request()))])
        return model

    def _follow(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._refresh()

    def _refresh(self) -> None:
        champion, challenger = self._champion, self._challenger
        if champion.refresh():
            metrics.show_version(metrics.CHAMPION, champion.version)
            if champion.problem:
                metrics.LOAD_FAILURES.inc()
            else:
                logger.info("Version %s serves.", champion.version)
        if challenger.refresh():
            shown = None if challenger.problem else challenger.version
            metrics.show_version(metrics.CHALLENGER, shown)
            if not challenger.problem:
                logger.info("%s runs in shadow mode.", shown or "No version")

    def _model_for(self, body: bytes) -> ServedModel:
        """Return what serves now, unless the body is too long for it to be read."""
        if len(body) > self.max_bytes:
            limit = f"{self.settings.max_megabytes:g}"
            raise RequestError(413, f"The body is larger than {limit} MB; send the rows in parts.")
        model = self._champion.model
        if model is None:
            raise RequestError(503, NO_MODEL)
        return model

    def _job(self, body: bytes, explain: str | None) -> Job:
        model = self._model_for(body)
        if explain not in (None, "true", "false"):
            raise invalid(f"must be true or false, got {shown(explain)}", "explain")
        job = Job(model, model.read(body), explain == "true")
        if job.explain:
            model.check_explains(len(job), self.settings.max_explained_rows)
        return job

    def _predict(self, jobs: list[Job]) -> list[HttpResponse]:
        """Predict jobs that waited together, with one call of each model that is among them."""
        responses: list[HttpResponse] = []
        for _, same in groupby(jobs, key=lambda job: id(job.model)):
            responses += self._predict_with_one(list(same))
        return responses

    def _predict_with_one(self, jobs: list[Job]) -> list[HttpResponse]:
        model = jobs[0].model
        metrics.CALL_ROWS.observe(sum(map(len, jobs)))
        with metrics.CALL_SECONDS.time():
            found = model.predict([job.request for job in jobs])
        found = [
            model.explain(job.request, each) if job.explain else each
            for job, each in zip(jobs, found, strict=True)
        ]
        drawn = os.urandom(16 * sum(map(len, found)))  # whoever guesses an id can send feedback
        ids = (drawn[start : start + 16].hex() for start in range(0, len(drawn), 16))
        by_id = [{next(ids): one for one in each} for each in found]
        rows = [one.row for each in by_id for one in each.values()]
        logged = {key: one.logged for each in by_id for key, one in each.items()}
        self._log.add(PREDICTIONS, prediction_rows(model.version, rows, logged))
        metrics.ROWS.inc(len(rows))
        for job, each in zip(jobs, by_id, strict=True):
            self._shadow.submit(model, job.request, each)
        shown = ([{"id": key, **one.shown} for key, one in each.items()] for each in by_id)
        return [json_response(200, {"model": model.version, "predictions": s}) for s in shown]


def _error_response(error: Exception) -> HttpResponse:
    if isinstance(error, RequestError):
        return json_response(error.status, {"detail": error.detail})
    if isinstance(error, TimeoutError):
        return json_response(503, {"detail": TOO_SLOW})
    logger.error("A request could not be answered.", exc_info=error)
    return json_response(500, {"detail": FAILED})
