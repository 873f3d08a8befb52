"""The service with FastAPI and uvicorn; what it answers is in ``service.py``."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.datastructures import Headers

from ...problem.project import Project
from .front import Front
from .listen import DRAIN_SECONDS, KEEP_ALIVE_SECONDS, listen
from .logs import set_up_logs
from .reply import Reply, plain_refusal
from .service import Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]


def create_app(service: Service) -> FastAPI:
    """Return the application; the service begins and ends with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with service:
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.add_middleware(Passage, front=service.front)

    async def predict(request: Request) -> Response:
        return _response(await service.predict_async(await _body(request, service)))

    async def feedback(request: Request) -> Response:
        body = await _body(request, service)
        return _response(await run_in_threadpool(service.feedback, body))

    # Plain routes: bytes come in and go out, so FastAPI has nothing to look up for them.
    app.add_route("/predict", predict, methods=["POST"])
    app.add_route("/feedback", feedback, methods=["POST"])
    for path, answer in service.pages.items():
        app.add_route(path, _endpoint(answer), methods=["GET"])

    for status in (400, 404, 405, 408):
        app.add_exception_handler(status, _refuse)

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
    app = create_app(Service(project))
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    with listen(host, port) as listener, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


class Passage:
    """Lets every request pass the front; a pure ASGI middleware, as it sees each of them."""

    def __init__(self, app: ASGIApp, front: Front) -> None:
        self._app = app
        self._front = front

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, unless the front answers it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        visit = self._front.enter(scope["method"], scope["path"], Headers(scope=scope).get)
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += [(k.encode(), v.encode()) for k, v in visit.headers.items()]
            await send(message)

        app = self._app if visit.refusal is None else _response(visit.refusal)
        try:
            await app(scope, receive, send_with_headers)
        finally:
            plain = scope["path"] if "endpoint" in scope else None  # FastAPI names only its own
            route = getattr(scope.get("route"), "path", plain)
            self._front.leave(visit, route, status)


async def _body(request: Request, service: Service) -> bytes:
    """Read the body, and stop where it is too long, whatever its header says."""
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(service.max_seconds):
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise HTTPException(400)
                if len(body) <= service.max_bytes:  # the rest is read, so that the caller hears why
                    body += message.get("body", b"")
                more = message.get("more_body", False)
    except TimeoutError:
        raise HTTPException(408) from None
    return bytes(body)


def _endpoint(answer: Callable[[], Reply]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return _response(answer())

    return endpoint


async def _refuse(request: Request, error: Any) -> Response:
    return _response(plain_refusal(error.status_code, (error.headers or {}).get("Allow")))


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, reply.headers)
