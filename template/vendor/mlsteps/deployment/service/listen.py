"""The address that the service listens on."""

import logging
import socket

from ...errors import UserError

DRAIN_SECONDS = 20  # the time for requests that were accepted before SIGTERM
KEEP_ALIVE_SECONDS = 75  # longer than proxies keep idle connections, so that they close first

logger = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, and log its address; port 0 takes a free one."""
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
    shown = f"[{host}]" if ":" in host else host
    logger.info("Serving at http://%s:%d (Ctrl+C stops)", shown, listener.getsockname()[1])
    return listener
