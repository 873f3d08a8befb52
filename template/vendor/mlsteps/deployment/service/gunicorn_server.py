"""gunicorn with one worker process of many threads; Windows lacks what it stands on."""

import atexit
import socket
from threading import Timer
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from .log_writer import CLOSE_SECONDS
from .server import DRAIN_SECONDS, KEEP_ALIVE_SECONDS, LINGER_SECONDS
from .service import PredictionService

THREADS = 64  # each holds a request that waits; the model predicts all of them in one call


class Worker(ThreadWorker):
    """gunicorn's worker, whose callers may leave their connections after SIGTERM.

    By itself it closes each after its response, though that said it would be kept, and leaves
    unanswered who makes a new one.
    """

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Accept no connection any more, and stop a little later."""
        self.worker_connections = 0
        self.method_queue.defer(int)  # the loop looks at once
        Timer(LINGER_SECONDS, super().handle_exit, [sig, frame]).start()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections or not; at the end, let each response be the last of its own."""
        super().set_accept_enabled(enabled)
        if not self.worker_connections:
            for listener in self.sockets:
                listener.close()
            self.max_keepalived = 0


class Server(BaseApplication):
    """gunicorn with one worker process, in which the service lives."""

    def __init__(
        self, app: Flask, service: PredictionService, seconds: int, listener: socket.socket
    ) -> None:
        self._app, self._service, self._seconds = app, service, seconds
        self._descriptor = listener.detach()  # gunicorn closes it
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        settings: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "worker_class": Worker,
            "threads": THREADS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": min(DRAIN_SECONDS, self._seconds) + int(CLOSE_SECONDS) + 6,
            "timeout": 120,
            "control_socket_disable": True,
            "forwarder_headers": "",  # a caller's SCRIPT_NAME would hide a part of the path
            "loglevel": "warning",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Start the service inside of the worker: threads do not survive a fork."""
        # Here it is the time for requests alone; the log is written afterwards.
        self.cfg.set("graceful_timeout", min(DRAIN_SECONDS, self._seconds))
        self._service.start()
        atexit.register(self._service.close)
        return self._app
