"""The service with FastAPI and uvicorn; what it answers is in ``service.py``."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.datastructures import Headers
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ...modeling.predictor import LoadPredictor
from ...problem.project import Project
from .listen import DRAIN_SECONDS, HEAD_SECONDS, KEEP_ALIVE_SECONDS, listen
from .logs import set_up_logs
from .reply import Reply, last_words, plain_refusal
from .service import Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_HEAD_BYTES = 1 << 16


def create_app(service: Service) -> FastAPI:
    """Return the application; the service begins and ends with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with service:
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.add_middleware(Passage, service=service)

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


def serve(project: Project, load_predictor: LoadPredictor, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl+C, then answer what was accepted and write the log to its end.

    Port 0 takes a free one; the log names it.

    Raises
    ------
    UserError
        If the address cannot be had, or a setting of ``[serving]`` cannot be used.
    """
    set_up_logs()
    app = create_app(Service(project, load_predictor))
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    with listen(host, port) as listener, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


class Connection(HttpToolsProtocol):
    """Hangs up on who sends no whole head of a request in time, or too long a one.

    uvicorn alone waits for ever, and keeps whatever comes.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._in_head, self._head_bytes = True, 0
        self._hang_up: asyncio.TimerHandle | None = None
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Take what has come, and wait for the rest of the head if there is more to come."""
        super().data_received(data)
        self._head_bytes += len(data)
        if not self._in_head:
            self._stop_waiting()
        elif self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(431)
        else:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head of a request has come."""
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400)

    def _wait_for_head(self) -> None:
        if self._hang_up is None:
            self._hang_up = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None

    def _refuse(self, status: int) -> None:
        self.transport.write(last_words(status))
        self.transport.close()


class Passage:
    """Lets every request pass the front; a pure ASGI middleware, as it sees each of them."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._front = service.front
        self._max_seconds = service.max_seconds

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, unless the front answers it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        visit = self._front.enter(scope["method"], scope["path"], Headers(scope=scope).get)
        body, status = Body(receive, self._max_seconds), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += [(k.encode(), v.encode()) for k, v in visit.headers.items()]
                if not await body.read_rest():
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        app = self._app if visit.refusal is None else _response(visit.refusal)
        try:
            await app(scope, body.receive, send_with_headers)
        finally:
            self._front.leave(visit, status)


class Body:
    """The body of a request, as it comes."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._end = asyncio.get_running_loop().time() + seconds
        self._more = True

    async def receive(self) -> Message:
        """Return the next part of it.

        Raises
        ------
        TimeoutError
            If it has not all come in time.
        """
        async with asyncio.timeout_at(self._end):
            message = await self._receive()
        self._more = message.get("more_body", False)
        return message

    async def read_rest(self) -> bool:
        """Read what nobody asked for, or its sender would not hear the answer; tell if it ended."""
        with suppress(TimeoutError):
            while self._more:
                await self.receive()
        return not self._more


async def _body(request: Request, service: Service) -> bytes:
    """Read the body, and stop where it is too long, whatever its header says."""
    body, more = bytearray(), True
    try:
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
