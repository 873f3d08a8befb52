"""Follows the champion and the challenger, which other commands name while the service runs."""

import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ...errors import UserError

RETRY_SECONDS = 30.0  # before a version that could not be loaded is tried again

logger = logging.getLogger(__name__)

Model = TypeVar("Model")


class FollowedVersion(Generic[Model]):
    """A version that a file of models/ names, loaded anew when another is named."""

    def __init__(
        self, role: str, current: Callable[[], str | None], load: Callable[[str], Model]
    ) -> None:
        self.model: Model | None = None  # read it once for a request: it may change meanwhile
        self.version: str | None = None
        self.problem = ""  # why the named version could not be loaded; callers get to see it
        self._role, self._current, self._load = role, current, load
        self._failed: str | None = None
        self._retry_at = 0.0

    def refresh(self) -> bool:
        """Load the named version if it is another; return whether anything has changed.

        If that fails, the old one stays.
        """
        before = (self.version, self.problem)
        named = None
        try:
            named = self._current()
            if named == self._failed and self.problem and time.monotonic() < self._retry_at:
                return False
            if named != self.version:
                self.model = self._load(named) if named else None
                self.version = named
            self.problem = ""
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, the old one stays
            self._fail(named, error)
        return (self.version, self.problem) != before

    def _fail(self, version: str | None, error: Exception) -> None:
        self._failed, self._retry_at = version, time.monotonic() + RETRY_SECONDS
        known = isinstance(error, UserError)
        problem = f"The {self._role} {version} cannot be loaded"
        if version is None:  # what names it is wrong
            problem = str(error) if known else f"{self._role}.json cannot be read"
        before, self.problem = self.problem, problem  # who reads the log finds it so
        if problem != before:
            told = problem if problem == str(error) else f"{problem}: {error}"
            logger.error("%s", told, exc_info=None if known else error)
