"""What both servers share: the address, the log on standard error, and the id of a request."""

import logging
import re
import socket
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from ipaddress import ip_address
from random import getrandbits

from pydantic_core import to_json

from ...errors import UserError
from . import metrics
from .security import LOOPBACK, local_names

LINGER_SECONDS = 1.0  # after SIGTERM: for callers to leave the connections that they keep
DRAIN_SECONDS = 20  # the time for requests that were accepted before SIGTERM
KEEP_ALIVE_SECONDS = 75  # longer than proxies keep idle connections, so that they close first
QUIET = {"/metrics", "/health/live", "/health/ready"}  # sent every few seconds: only failures show
UNKNOWN = "unknown"  # the route of all paths that are none: callers invent them
GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

current_id: ContextVar[str] = ContextVar("current_id", default="")  # while a request is served
logger = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """Writes each record as one line of JSON, with the id of the request that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if request := current_id.get():
            line["request"] = request
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return to_json(line, fallback=str).decode()


def _set_up_logs() -> None:
    """Let all loggers write to standard error, from INFO on."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(plain if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, and start the log with its address; port 0 takes a free one."""
    _set_up_logs()
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:  # the latter is of a name that cannot be one
        said = error.strerror if isinstance(error, OSError) else "it is no name"
        reason = str(said).partition(" (")[0]  # Python adds the address once more
        raise UserError(
            f"The service cannot listen on {host} port {port} ({reason}); "
            "choose another [serving] host or port, or stop what uses it."
        ) from None
    # Connections inherit this: without it, an answer in two packets waits 40 ms for the second.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if ip_address(listener.getsockname()[0]).is_loopback:
        local_names.update(LOOPBACK, [host.lower()])
    shown = f"[{host}]" if ":" in host else host
    logger.info("Serving at http://%s:%d (Ctrl+C stops)", shown, listener.getsockname()[1])
    return listener


class RequestContext:
    """A request: its method of HTTP, its id, and since when it is served.

    The id is the caller's X-Request-ID if it is a good one, else a new one; the log has it too.
    """

    def __init__(self, method: str, given_id: str | None) -> None:
        self._method = method
        self._started = time.perf_counter()
        # Nobody gains by guessing it, and a system call would let other threads go first.
        good = given_id and GOOD_ID.fullmatch(given_id)
        self._id = given_id if given_id and good else f"{getrandbits(128):032x}"
        current_id.set(self._id)

    def headers(self) -> dict[str, str]:
        """Return the headers that every response carries."""
        return {"X-Request-ID": self._id, "X-Content-Type-Options": "nosniff"}

    def finish(self, route: str | None, status: int, key: str = "") -> None:
        """Count and log the request once its status is known."""
        route, seconds = route or UNKNOWN, time.perf_counter() - self._started
        metrics.REQUESTS.labels(route, str(status)).inc()
        metrics.SECONDS.labels(route).observe(seconds)
        if route not in QUIET or status >= 400:
            fields = {"method": self._method, "route": route, "status": status}
            fields["milliseconds"] = round(1000 * seconds, 2)
            if key:
                fields["key"] = key
            logger.info("%s %s %d", self._method, route, status, extra={"fields": fields})
        current_id.set("")
