"""Responses as both frameworks send them, and the errors that become one."""

from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}


@dataclass(frozen=True)
class HttpResponse:
    """A status, the bytes of a body, and the headers that belong to them."""

    status: int
    body: bytes
    headers: dict[str, str]


def json_response(status: int, content: Any) -> HttpResponse:
    """Return a response in JSON; NaN and infinity, which JSON does not have, become null."""
    return HttpResponse(status, to_json(content, inf_nan_mode="null"), JSON)


class RequestError(Exception):
    """A request that cannot be served; its caller gets `detail` with `status`."""

    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
