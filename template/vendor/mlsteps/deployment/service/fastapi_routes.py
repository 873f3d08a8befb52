"""The endpoints for FastAPI, what a request passes on its way to them, and uvicorn."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import partial
from math import ceil
from typing import Any

import uvicorn
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.datastructures import Headers
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from ...problem.project import Project
from .openapi import OPERATIONS
from .responses import HttpResponse, RequestError
from .security import NO_KEY_NEEDED, ApiKeys, check_host, check_origin
from .server import DRAIN_SECONDS, KEEP_ALIVE_SECONDS, LINGER_SECONDS, RequestContext, listen
from .service import PredictionService

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
CLOSE = (b"connection", b"close")
LAST: list[tuple[bytes, bytes]] = []  # the header of responses once SIGTERM has come
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]

__all__ = ["RequestMiddleware", "RequireKey", "prediction_router", "run"]


def prediction_router(service: PredictionService) -> APIRouter:
    """Return the endpoints of the service.

    Parameters
    ----------
    service : PredictionService
        It has to be entered before the first request: in the lifespan of the application.

    Returns
    -------
    APIRouter
        For `FastAPI.include_router`. Its /openapi.json also describes what the application adds.

    Examples
    --------
    In the project's ``fastapi_app.py``::

        app.include_router(prediction_router(service))
    """
    router = APIRouter()

    @router.post("/predict", openapi_extra=OPERATIONS["/predict"])
    async def predict(request: Request) -> Response:
        body = await _body(request, service.max_bytes)
        return Response(*await service.predict_async(body, request.query_params.get("explain")))

    @router.post("/feedback", openapi_extra=OPERATIONS["/feedback"])
    async def feedback(request: Request) -> Response:
        body = await _body(request, service.max_bytes)
        return Response(*await run_in_threadpool(service.feedback, body))

    for path, respond in service.pages.items():
        described = OPERATIONS.get(path)
        router.add_api_route(
            path, _endpoint(respond), openapi_extra=described, include_in_schema=bool(described)
        )

    if service.settings.docs:

        @router.get("/openapi.json", include_in_schema=False)
        async def openapi(request: Request) -> JSONResponse:
            app = request.app
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= service.openapi_schemas()
            for path in NO_KEY_NEEDED & document["paths"].keys():
                for operation in document["paths"][path].values():
                    operation.pop("security", None)
            return JSONResponse(document)

    return router


class RequireKey(HTTPBearer):
    """A dependency that asks for a key of ``[serving] api_keys``, if that names any.

    Health, metrics and the pages need none: they tell nothing of the rows.

    Parameters
    ----------
    keys : ApiKeys
        The keys that are known.
    """

    def __init__(self, keys: ApiKeys) -> None:
        super().__init__(scheme_name="key", auto_error=False)
        self._keys = keys

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        """Refuse a request without a key."""
        try:
            key = self._keys.check(request.url.path, request.headers.get("authorization"))
        except RequestError as error:
            headers = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(error.status, error.detail, headers) from None
        request.state.key = key


class RequestMiddleware:
    """Gives each request an id, counts and logs it, and refuses what other sites' pages post.

    A `RequestError` that an endpoint raises becomes its response.

    Parameters
    ----------
    app
        What it wraps; `FastAPI.add_middleware` gives it.
    service : PredictionService
        Says from which sites pages may post.
    """

    def __init__(self, app: ASGIApp, service: PredictionService) -> None:
        self._app = app
        self._allowed = frozenset(service.settings.cors)
        self._hosts = service.settings.allowed_hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = Headers(scope=scope).get
        context, status = RequestContext(scope["method"], header("x-request-id")), 500
        headers = [(k.lower().encode(), v.encode()) for k, v in context.headers().items()]

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *headers, *LAST]
            await send(message)

        try:
            check_host(scope["path"], header("host"), self._hosts)
            check_origin(scope["method"], header, self._allowed)
            await self._app(scope, receive, send_with_headers)
        except RequestError as error:
            response = JSONResponse({"detail": error.detail}, error.status)
            await response(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", None)
            context.finish(route, status, scope.get("state", {}).get("key", ""))


def run(app: ASGIApp, project: Project, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl+C, then finish what was accepted.

    Parameters
    ----------
    app : FastAPI
        The application.
    project : Project
        Says how long a request may take.
    host, port
        Where to listen; port 0 takes a free one, and the log names it.

    Raises
    ------
    UserError
        If the address cannot be had.
    """
    config = uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=min(DRAIN_SECONDS, ceil(project.definition.serving.max_seconds)),
    )
    # When all is done, uvicorn raises again the signal that it was stopped by.
    with listen(host, port) as listener, suppress(KeyboardInterrupt, SystemExit):
        Server(config).run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn, whose callers may leave their connections after SIGTERM, before it closes them."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Listen no more, let each response be the last of its connection, then end."""
        stop, loop = partial(super().handle_exit, sig, frame), asyncio.get_running_loop()
        linger = LINGER_SECONDS if sig == signal.SIGTERM else 0.0
        for server in getattr(self, "servers", ()):  # there are none before it has started
            loop.call_soon_threadsafe(server.close)
        # Who left before that would make a new connection, which is cut.
        for after, then in ((linger / 10, partial(LAST.append, CLOSE)), (linger, stop)):
            loop.call_soon_threadsafe(loop.call_later, after, then)


async def _body(request: Request, most: int) -> bytes:
    """Read the body, and keep no more of it than shows that it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        if len(body) <= most:  # the rest is read, or the caller would not hear why
            body += chunk
    return bytes(body)


def _endpoint(respond: Callable[[], HttpResponse]) -> Callable[[], Awaitable[Response]]:
    async def endpoint() -> Response:
        return Response(*respond())

    return endpoint
