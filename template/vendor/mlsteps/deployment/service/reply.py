"""An answer as every framework sends it."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json

JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}


@dataclass(frozen=True)
class Reply:
    """A status, bytes, and the headers that belong to them."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def json_reply(status: int, content: Any) -> Reply:
    """Return an answer in JSON; NaN and infinity, which JSON does not have, become null."""
    return Reply(status, to_json(content, inf_nan_mode="null"), JSON)


def plain_refusal(status: int, allow: str | None = None) -> Reply:
    """Return the answer that says no more than its status: 404 for a path that is unknown.

    `allow` is the header of a 405; frameworks hold its methods in a set, so their order is chance.
    """
    reply = json_reply(status, {"detail": HTTPStatus(status).phrase})
    if not allow:
        return reply
    methods = ", ".join(sorted(allow.split(", ")))
    return Reply(status, reply.body, {**reply.headers, "Allow": methods})


def last_words(status: int) -> bytes:
    """Return what is sent before hanging up, where there is no whole request to answer."""
    reply = plain_refusal(status)
    headers = {**reply.headers, "Content-Length": len(reply.body), "Connection": "close"}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *lines, "", ""])
    return head.encode() + reply.body


class Refusal(Exception):  # noqa: N818 -- the caller's mistake, or a state that passes
    """A request that is not answered, and what its caller is told.

    Attributes
    ----------
    reply
        The answer it gets instead.
    """

    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(detail)
        self.reply = json_reply(status, {"detail": detail})
