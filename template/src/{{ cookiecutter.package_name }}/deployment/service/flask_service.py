"""The service with Flask and gunicorn; what it answers is in ``service.py``."""

import logging
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from werkzeug.exceptions import HTTPException

from ...problem.project import Project
from .listen import DRAIN_SECONDS, KEEP_ALIVE_SECONDS, listen
from .log_writer import CLOSE_SECONDS
from .logs import set_up_logs
from .reply import Reply, plain_refusal
from .service import Service

CHUNK = 1 << 16  # bytes
THREADS = 64  # each holds a request that waits; the model answers all of them in one call


def create_app(service: Service) -> Flask:
    """Return the application; whoever runs it enters the service before, and leaves it after."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False

    @app.before_request
    def enter() -> Response | None:
        g.visit = service.front.enter(request.method, request.path, request.headers.get)
        return _response(g.visit.refusal) if g.visit.refusal else None

    @app.after_request
    def leave(response: Response) -> Response:
        _read_rest(service)
        response.headers.update(g.visit.headers)
        route = request.url_rule.rule if request.url_rule else None
        service.front.leave(g.visit, route, response.status_code)
        return response

    @app.post("/predict", provide_automatic_options=False)
    def predict() -> Response:
        return _response(service.predict(_body(service)))

    @app.post("/feedback", provide_automatic_options=False)
    def feedback() -> Response:
        return _response(service.feedback(_body(service)))

    for path, answer in service.pages.items():
        app.get(path, endpoint=path, provide_automatic_options=False)(_endpoint(answer))

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        return _response(plain_refusal(error.code or 500, dict(error.get_headers()).get("Allow")))

    return app


def serve(project: Project, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl+C, then answer what was accepted and write the log to its end.

    Port 0 takes a free one; the log names it.

    Raises
    ------
    UserError
        If the address cannot be had, or a setting of ``[serving]`` cannot be used.
    """
    set_up_logs()
    service = Service(project)
    Server(service, listen(host, port).detach()).run()  # gunicorn closes it


class Server(BaseApplication):
    """One worker process with many threads; the service lives in it."""

    def __init__(self, service: Service, descriptor: int) -> None:
        self._service = service
        self._descriptor = descriptor
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        settings: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "threads": THREADS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": DRAIN_SECONDS + int(CLOSE_SECONDS) + 5,  # then it is killed
            "timeout": 120,
            "control_socket_disable": True,
            "logger_class": PlainLogger,
            "worker_exit": lambda arbiter, worker: self._service.__exit__(None, None, None),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Begin, inside of the worker: threads do not survive a fork."""
        self.cfg.set("graceful_timeout", DRAIN_SECONDS)  # here it is the time to answer alone
        self._service.__enter__()
        return create_app(self._service)


class PlainLogger(Logger):
    """Leaves gunicorn's messages to the log of the service."""

    def setup(self, cfg: Any) -> None:
        """Add no handlers."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)


def _body(service: Service) -> bytes:
    """Read the body, and stop where it is too long, whatever its header says."""
    return request.stream.read(service.max_bytes + 1)


def _read_rest(service: Service) -> None:
    """Read what is left of the body: the caller hears an answer only then, and is heard again."""
    end = time.monotonic() + service.max_seconds
    while request.stream.read(CHUNK) and time.monotonic() < end:
        pass


def _endpoint(answer: Callable[[], Reply]) -> Callable[[], Response]:
    return lambda: _response(answer())


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status, mimetype=None)
    response.headers.update(reply.headers)
    return response
