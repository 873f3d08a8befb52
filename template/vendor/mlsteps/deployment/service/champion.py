"""Follows the champion and the challenger, which other commands name while the service runs."""

import logging
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ...errors import UserError
from ...modeling.predictor import LoadPredictor
from ...problem.project import Project
from .row_requests import ServedRowModel
from .served_model import ServedModel

RETRY_SECONDS = 30.0  # before a version that could not be loaded is tried again

logger = logging.getLogger(__name__)


class Versioned(Protocol):
    """A model of a version."""

    version: str


Model = TypeVar("Model", bound=Versioned)


def load_served_model(project: Project, version: str, load_predictor: LoadPredictor) -> ServedModel:
    """Load a version and let it predict an example, so that the first caller need not wait."""
    definition = project.definition
    predictor = load_predictor(project.models / version)
    limits = (definition.serving.max_rows, definition.data.missing)
    model: ServedModel
    if definition.problem.of_series:
        from .forecast_requests import ServedForecastModel  # needs statsmodels

        model = ServedForecastModel(predictor, *limits)
    else:
        model = ServedRowModel(predictor, *limits)
    model.warm_up()
    return model


class FollowedVersion(Generic[Model]):
    """A version that a file of models/ names, loaded anew when another is named.

    Parameters
    ----------
    role
        "champion" or "challenger".
    current
        Returns the version that is named now.
    load
        Loads a version.

    Attributes
    ----------
    model
        The model; None before a version is named. Read it once for a request, which is then served
        by one version even if it changes meanwhile.
    problem
        Why the named version could not be loaded; empty if it could. It names no files: callers
        get to see it.
    failures
        How often loading failed.
    """

    def __init__(
        self, role: str, current: Callable[[], str | None], load: Callable[[str], Model]
    ) -> None:
        self.model: Model | None = None
        self.problem = ""
        self.failures = 0
        self._role = role
        self._current = current
        self._load = load
        self._failed: str | None = None
        self._retry_at = 0.0

    @property
    def version(self) -> str | None:
        """The version that is loaded."""
        return self.model.version if self.model else None

    def refresh(self) -> bool:
        """Load the named version if it is another; if that fails, the old one stays."""
        version = None
        try:
            version = self._current()
            if version == self.version:
                self.problem = ""
                return False
            if version == self._failed and time.monotonic() < self._retry_at:
                return False
            self.model = self._load(version) if version else None
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, the old one stays
            self._fail(version, error)
            return False
        self.problem, self._failed = "", None
        return True

    def _fail(self, version: str | None, error: Exception) -> None:
        self.failures += 1
        self._failed, self._retry_at = version, time.monotonic() + RETRY_SECONDS
        problem = " ".join(filter(None, ["The", self._role, version, "cannot be loaded"]))
        if problem != self.problem:
            known = isinstance(error, UserError)
            logger.error("%s: %s", problem, error, exc_info=None if known else error)
        self.problem = problem
