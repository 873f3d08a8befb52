"""The service over HTTP with FastAPI and uvicorn; what it answers is in ``service.py``."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from ..errors import UserError
from ..problem.project import Project
from .metrics import CONTENT_TYPE, Metrics
from .page import page
from .service import Answer, Service, to_json

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]

DRAIN_SECONDS = 20  # what was accepted before SIGTERM has so long to be answered

logger = logging.getLogger(__name__)


def create_app(project: Project) -> FastAPI:
    """Return the application; it loads the champion when it starts.

    Raises
    ------
    UserError
        If ``[serving] log`` is no database that can be used.
    """
    service = Service(project)
    # Models compute in threads of their own, so that health is answered meanwhile; more threads
    # than cores would only keep the event loop waiting.
    workers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="predict")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with service, workers:
            yield

    app = FastAPI(title="Predictions", lifespan=lifespan)
    app.add_middleware(Measured, metrics=service.metrics)
    app.openapi = service.openapi  # type: ignore[method-assign]

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        body = await _body(request, service)
        loop = asyncio.get_running_loop()
        return _response(await loop.run_in_executor(workers, service.predict, body))

    @app.post("/feedback")
    async def feedback(request: Request) -> Response:
        body = await _body(request, service)
        return _response(await run_in_threadpool(service.feedback, body))

    @app.get("/model")
    async def model() -> Response:
        return _response(service.model())

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    @app.get("/health/live")
    async def live() -> Response:
        return _response(service.live())

    @app.get("/health/ready")
    async def ready() -> Response:
        return _response(service.ready())

    @app.get("/")
    async def form() -> Response:
        html, headers = page()
        return Response(html, headers=headers)

    return app


def serve(project: Project, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl+C, then answer what was accepted and write the log to its end.

    Port 0 takes a free one; the log names it.

    Raises
    ------
    UserError
        If the address cannot be had.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app = create_app(project)
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    shown = f"[{host}]" if ":" in host else host
    logger.info("Serving at http://%s:%d (Ctrl+C stops)", shown, listener.getsockname()[1])
    with listener, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


class Measured:
    """Counts and times every request; a pure ASGI middleware, as it sees each of them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = scope.get("route")  # unknown paths share a label, as callers invent them
            path = getattr(route, "path", "unknown")
            self._metrics.request(path, status, time.perf_counter() - start)


async def _body(request: Request, service: Service) -> bytes:
    """Read the body, and stop where it is too long, whatever its header says."""
    body, more = bytearray(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The body was cut off.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > service.max_bytes:
            status, content = service.too_large()
            raise HTTPException(status, content["detail"])
    return bytes(body)


def _response(answer: Answer) -> Response:
    status, content = answer
    return Response(to_json(content), status, media_type="application/json")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address once more
        raise UserError(
            f"The service cannot listen on {host} port {port} ({reason}); "
            "choose another [serving] host or port, or stop what uses it."
        ) from None
    # Connections inherit this: without it, an answer in two packets waits 40 ms for the second.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
