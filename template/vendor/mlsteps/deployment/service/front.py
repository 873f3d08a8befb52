"""What every request passes on its way in and out, whichever framework carries it."""

import logging
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from random import getrandbits
from urllib.parse import urlsplit

from ...problem.settings import Serving
from .keys import read_keys
from .logs import FIELDS, REQUEST
from .metrics import Metrics
from .reply import Reply, json_reply, plain_refusal

# No key is asked for: they hold nothing of the rows, and probes and browsers cannot show one.
OPEN = {"/", "/docs", "/metrics", "/health/live", "/health/ready"}
QUIET = {"/metrics", "/health/live", "/health/ready"}  # asked every few seconds; only failures show
UNKNOWN = "unknown"  # the route of all paths that are none: callers invent them
GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
NO_KEY = "A key is needed; send the header Authorization: Bearer KEY."
WRONG_KEY = "The key is not known."
ELSEWHERE = "Pages of {} may not ask; add it to [serving] cors if they should."
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
    route
        Its path if that is one of the service's, else "unknown".
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
    route: str
    headers: dict[str, str]
    refusal: Reply | None = None
    key: str = ""
    started: float = field(default_factory=time.perf_counter)


class Front:
    """Names requests, asks for keys, adds headers, and counts and logs what was answered.

    Parameters
    ----------
    settings
        Which keys are asked for, and which sites may ask.
    metrics
        Count what was answered.
    routes
        All paths that there are.

    Attributes
    ----------
    locked
        Whether callers have to show a key.

    Raises
    ------
    UserError
        If the keys cannot be had.
    """

    def __init__(self, settings: Serving, metrics: Metrics, routes: Collection[str]) -> None:
        self._keys = read_keys(settings.api_keys)
        self.locked = bool(self._keys)
        self._origins = set(settings.cors)
        self._metrics = metrics
        self._routes = frozenset(routes)

    def enter(self, method: str, path: str, header: Callable[[str], str | None]) -> Visit:
        """Take a request; `header` returns one of its headers by name."""
        given = header("x-request-id") or ""
        # Nobody gains by guessing it, and a system call would let other threads go first.
        name = given if GOOD_ID.fullmatch(given) else f"{getrandbits(128):032x}"
        REQUEST.set(name)
        visit = Visit(
            method=method,
            route=path if path in self._routes else UNKNOWN,
            headers={"X-Request-ID": name, "X-Content-Type-Options": "nosniff"},
        )
        origin = header("origin") or ""
        if origin in self._origins:
            visit.headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
            if method == "OPTIONS" and header("access-control-request-method"):
                visit.refusal = Reply(204, b"", PREFLIGHT)
                return visit
        visit.refusal = (
            self._refuse_key(visit, path, header)
            or self._refuse_site(visit, header)
            or (plain_refusal(404) if visit.route == UNKNOWN else None)
        )
        return visit

    def leave(self, visit: Visit, status: int) -> None:
        """Count and log a request that was answered."""
        seconds = time.perf_counter() - visit.started
        self._metrics.request(visit.route, status, seconds)
        if visit.route not in QUIET or status >= 400:
            fields = {
                "method": visit.method,
                "route": visit.route,
                "status": status,
                "milliseconds": round(1000 * seconds, 2),
            }
            if visit.key:
                fields["key"] = visit.key
            message = "%s %s %d"
            logger.info(message, visit.method, visit.route, status, extra={FIELDS: fields})
        REQUEST.set("")

    def _refuse_key(
        self, visit: Visit, path: str, header: Callable[[str], str | None]
    ) -> Reply | None:
        if not self.locked or path in OPEN:
            return None
        authorization = header("authorization") or ""
        visit.key = self._keys.find(authorization)
        if visit.key:
            return None
        visit.headers["WWW-Authenticate"] = "Bearer"
        return json_reply(401, {"detail": WRONG_KEY if authorization else NO_KEY})

    def _refuse_site(self, visit: Visit, header: Callable[[str], str | None]) -> Reply | None:
        """Refuse what a browser sends for a page of another site, which needs no answer to harm.

        Every browser says where a POST comes from, and most whether that is the same site
        (the algorithm is that of Go's net/http.CrossOriginProtection).
        """
        origin = header("origin")
        if visit.method != "POST" or not origin or origin in self._origins:
            return None
        same = header("sec-fetch-site")
        if same in ("same-origin", "none") if same else urlsplit(origin).netloc == header("host"):
            return None
        return json_reply(403, {"detail": ELSEWHERE.format(origin[:100])})
