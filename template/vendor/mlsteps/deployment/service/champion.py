"""Holds the champion that serves, and changes it when another is promoted."""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...modeling.predictor import LoadPredictor, Predictor
from ...modeling.store import champion
from ...problem.project import Project
from . import forecast_requests, row_requests

POLL_SECONDS = 1.0
RETRY_SECONDS = 30.0  # before a version that could not be loaded is tried again

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """What answers a request from its beginning to its end.

    Attributes
    ----------
    contract
        Checks the rows.
    description
        What GET /model answers.
    """

    predictor: Predictor
    contract: Any
    description: dict[str, Any]


def load_serving(project: Project, version: str, load_predictor: LoadPredictor) -> Serving:
    """Load a version and let it answer its example once, so that the first caller need not wait."""
    predictor = load_predictor(project.models / version)
    definition = project.definition
    requests = forecast_requests if definition.problem.of_series else row_requests
    contract = requests.Contract(predictor.schema, definition.serving.max_rows, definition.data.missing)
    requests.rehearse(predictor, contract)
    return Serving(predictor, contract, predictor.describe())


class ChampionWatch:
    """Follows models/champion.json.

    Attributes
    ----------
    serving
        What serves; None before the first promotion. A request reads it once, and is answered
        by one version even if it changes meanwhile.
    problem
        Why the champion could not be loaded; empty if it could.
    failures
        How often loading failed.
    """

    def __init__(self, project: Project, load_predictor: LoadPredictor) -> None:
        self._load_predictor = load_predictor
        self.serving: Serving | None = None
        self.problem = ""
        self.failures = 0
        self._project = project
        self._failed_version: str | None = None
        self._retry_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="champion-watch", daemon=True)

    def start(self) -> None:
        """Load the champion, and look for a new one about once a second."""
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    def refresh(self) -> None:
        """Serve the champion if it is another than the one that serves.

        One that cannot be loaded leaves the old one in place.
        """
        version = None
        try:
            version = champion(self._project.models)
            if version is None or (self.serving and version == self.serving.predictor.version):
                self.problem = ""
            elif version != self._failed_version or time.monotonic() >= self._retry_at:
                self.serving = load_serving(self._project, version, self._load_predictor)
                self.problem = ""
                logger.info("Version %s serves.", version)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, the old one serves on
            self._failed(version, error)

    def _failed(self, version: str | None, error: Exception) -> None:
        self.failures += 1
        self._failed_version = version
        self._retry_at = time.monotonic() + RETRY_SECONDS
        problem = f"The champion {version or ''}".rstrip() + " cannot be loaded"
        if problem != self.problem:  # what the caller is told names no files; the log does
            known = isinstance(error, UserError)
            logger.error("%s: %s", problem, error, exc_info=None if known else error)
        self.problem = problem

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self.refresh()
