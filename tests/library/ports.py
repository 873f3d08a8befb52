"""A port for a program that has to be told one before it starts."""

import socket
from contextlib import suppress
from random import SystemRandom

# No system gives these to a program that asks for any, which another test may start meanwhile.
PORTS = range(20_000, 30_000)


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:
        port = SystemRandom().choice(PORTS)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
