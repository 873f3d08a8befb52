"""The service with Flask and gunicorn; what it answers is in ``service.py``."""

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, NoReturn

from flask import Flask, Response, abort, g, request
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http.errors import (
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)
from gunicorn.workers.gthread import _DEFER, ThreadWorker
from werkzeug.exceptions import HTTPException

from ...modeling.predictor import LoadPredictor
from ...problem.project import Project
from .listen import DRAIN_SECONDS, HEAD_SECONDS, KEEP_ALIVE_SECONDS, listen
from .log_writer import CLOSE_SECONDS
from .logs import set_up_logs
from .reply import Reply, last_words, plain_refusal
from .service import Service

CHUNK = 1 << 16  # bytes
THREADS = 64  # each holds a request that waits; the model answers all of them in one call
SILENT_SECONDS = 0.05  # a new connection has a thread so long, and the next time when it says more
BROKEN: ContextVar[bool] = ContextVar("broken")  # where the body of this request ends is not known
TOO_LONG = {LimitRequestLine: 414, LimitRequestHeaders: 431}


def create_app(service: Service) -> Flask:
    """Return the application; whoever runs it enters the service before, and leaves it after."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False

    @app.before_request
    def enter() -> Response | None:
        path = request.environ["PATH_INFO"]  # Flask's own has lost all slashes but one in front
        g.visit = service.front.enter(request.method, path, request.headers.get)
        return _response(g.visit.refusal) if g.visit.refusal else None

    @app.after_request
    def leave(response: Response) -> Response:
        _read_rest(service)
        response.headers.update(g.visit.headers)
        service.front.leave(g.visit, response.status_code)
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


def serve(project: Project, load_predictor: LoadPredictor, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl+C, then answer what was accepted and write the log to its end.

    Port 0 takes a free one; the log names it.

    Raises
    ------
    UserError
        If the address cannot be had, or a setting of ``[serving]`` cannot be used.
    """
    set_up_logs()
    service = Service(project, load_predictor)
    Server(service, listen(host, port).detach()).run()  # gunicorn closes it


class Server(BaseApplication):
    """One worker process with many threads; the service lives in it."""

    def __init__(self, service: Service, descriptor: int) -> None:
        self.max_seconds = service.max_seconds
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
            "forwarder_headers": "",  # a caller's SCRIPT_NAME would hide a part of the path
            "worker_class": Worker,
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


class Worker(ThreadWorker):
    """Hangs up on who takes too long to send a request, or to take an answer.

    gunicorn alone waits for ever, and each of its threads with it.
    """

    def init_process(self) -> None:
        """Begin."""
        self._ends: dict[Any, float] = {}  # of connections that have a thread
        super().init_process()

    def handle(self, conn: Any) -> object:
        """Answer a request."""
        if not (conn.initialized or conn.data_ready or conn.wait_for_data(SILENT_SECONDS)):
            return _DEFER
        self._ends[conn] = time.monotonic() + HEAD_SECONDS
        try:
            return super().handle(conn)
        finally:
            del self._ends[conn]

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Answer a request whose head has come."""
        self._ends[conn] = time.monotonic() + self.app.max_seconds
        BROKEN.set(False)
        # What follows a broken body is no request.
        return super().handle_request(req, conn) and not BROKEN.get()

    def murder_pending(self) -> None:
        """Hang up on who is too late; called about once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, end in self._ends.copy().items():
            if now > end:
                # What is answered at the moment has as long again, until it is not even sent.
                late = now > end + self.app.max_seconds
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR if late else socket.SHUT_RD)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Refuse what is no HTTP without repeating it: it may be a secret."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Invalid HTTP request received.")
        with suppress(OSError):
            client.sendall(last_words(TOO_LONG.get(type(exc), 400)))


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
    most = service.max_bytes + 1
    try:
        body = request.stream.read(most)
    except NoMoreData:
        _break_off(408)
    except (ParseException, OSError):  # chunks that are none
        _break_off(400)
    if len(body) < min(request.content_length or 0, most):
        _break_off(408)
    return body


def _read_rest(service: Service) -> None:
    """Read what is left of the body: the caller hears an answer only then, and is heard again."""
    end = time.monotonic() + service.max_seconds
    try:
        while request.stream.read(CHUNK) and time.monotonic() < end:
            pass
    except (ParseException, OSError):
        BROKEN.set(True)


def _break_off(status: int) -> NoReturn:
    BROKEN.set(True)
    abort(status)


def _endpoint(answer: Callable[[], Reply]) -> Callable[[], Response]:
    return lambda: _response(answer())


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status, mimetype=None)
    response.headers.update(reply.headers)
    return response
