"""What every request passes on its way in and out, whichever framework carries it."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import getrandbits

from ...problem.settings import Serving
from .keys import read_keys
from .logs import FIELDS, REQUEST
from .metrics import Metrics
from .reply import Reply, json_reply

# No key is asked for: they hold nothing of the rows, and probes and browsers cannot show one.
OPEN = {"/", "/docs", "/metrics", "/health/live", "/health/ready"}
QUIET = {"/metrics", "/health/live", "/health/ready"}  # asked every few seconds; only failures show
GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
NO_KEY = "A key is needed; send the header Authorization: Bearer KEY."
WRONG_KEY = "The key is not known."
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-ID",
    "Access-Control-Max-Age": "600",
}

logger = logging.getLogger(__name__)


@dataclass
class Visit:
    """A request on its way.

    Attributes
    ----------
    method
        Of HTTP.
    headers
        What the answer has to carry.
    refusal
        The answer, if it is not passed on.
    key
        The short name of the key that was shown.
    started
        When it came, in seconds of `time.perf_counter`.
    """

    method: str
    headers: dict[str, str]
    refusal: Reply | None = None
    key: str = ""
    started: float = field(default_factory=time.perf_counter)


class Front:
    """Names requests, asks for keys, adds headers, and counts and logs what was answered.

    Attributes
    ----------
    locked
        Whether callers have to show a key.

    Raises
    ------
    UserError
        If the keys cannot be had.
    """

    def __init__(self, settings: Serving, metrics: Metrics) -> None:
        self._keys = read_keys(settings.api_keys)
        self.locked = bool(self._keys)
        self._origins = set(settings.cors)
        self._metrics = metrics

    def enter(self, method: str, path: str, header: Callable[[str], str | None]) -> Visit:
        """Take a request; `header` returns one of its headers by name."""
        given = header("x-request-id") or ""
        # Nobody gains by guessing it, and a system call would let other threads go first.
        name = given if GOOD_ID.fullmatch(given) else f"{getrandbits(128):032x}"
        REQUEST.set(name)
        visit = Visit(method, {"X-Request-ID": name, "X-Content-Type-Options": "nosniff"})
        origin = (header("origin") or "") if self._origins else ""
        if origin in self._origins:
            visit.headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
            if method == "OPTIONS" and header("access-control-request-method"):
                visit.refusal = Reply(204, b"", PREFLIGHT)
                return visit
        if self.locked and path not in OPEN:
            authorization = header("authorization") or ""
            visit.key = self._keys.find(authorization)
            if not visit.key:
                visit.headers["WWW-Authenticate"] = "Bearer"
                reason = WRONG_KEY if authorization else NO_KEY
                visit.refusal = json_reply(401, {"detail": reason})
        return visit

    def leave(self, visit: Visit, route: str | None, status: int) -> None:
        """Count and log a request that was answered; None is the route of unknown paths.

        They share a label, because callers invent them.
        """
        seconds = time.perf_counter() - visit.started
        route = route or "unknown"
        self._metrics.request(route, status, seconds)
        if route in QUIET and status < 400:
            return
        fields = {
            "method": visit.method,
            "route": route,
            "status": status,
            "milliseconds": round(1000 * seconds, 2),
        }
        if visit.key:
            fields["key"] = visit.key
        logger.info("%s %s %d", visit.method, route, status, extra={FIELDS: fields})
