"""What belongs to a request: its id, its route, its line in the log."""

import logging
import re
import time
from dataclasses import dataclass, field
from random import getrandbits

from .logs import FIELDS, REQUEST
from .metrics import Metrics

QUIET = {"/metrics", "/health/live", "/health/ready"}  # sent every few seconds: only failures show
UNKNOWN = "unknown"  # the route of all paths that are none: callers invent them
GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

logger = logging.getLogger(__name__)


@dataclass
class RequestContext:
    """One request.

    Parameters
    ----------
    method
        Of HTTP.
    given_id
        Its X-Request-ID, if the caller sent one.

    Attributes
    ----------
    id
        The caller's if it is a good one, else a new one; lines of the log carry it.
    """

    method: str
    given_id: str | None
    id: str = field(init=False)
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        given = self.given_id or ""
        # Nobody gains by guessing it, and a system call would let other threads go first.
        self.id = given if GOOD_ID.fullmatch(given) else f"{getrandbits(128):032x}"
        REQUEST.set(self.id)

    def headers(self) -> dict[str, str]:
        """Return the headers that every response carries."""
        return {"X-Request-ID": self.id, "X-Content-Type-Options": "nosniff"}

    def finish(self, metrics: Metrics, route: str | None, status: int, key: str = "") -> None:
        """Count and log the request once its status is known."""
        route, seconds = route or UNKNOWN, time.perf_counter() - self.started
        metrics.requests.labels(route, str(status)).inc()
        metrics.seconds.labels(route).observe(seconds)
        if route not in QUIET or status >= 400:
            fields = {
                "method": self.method,
                "route": route,
                "status": status,
                "milliseconds": round(1000 * seconds, 2),
            }
            extra = {FIELDS: fields | ({"key": key} if key else {})}
            logger.info("%s %s %d", self.method, route, status, extra=extra)
        REQUEST.set("")
