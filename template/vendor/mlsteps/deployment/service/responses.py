"""Responses as both frameworks send them: JSON, pages, and the errors that become one."""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from pydantic_core import to_json

JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}
# What a page loads; it is sent whole, with headers that let it load nothing else.
LINKED = re.compile('<link rel="(style)sheet" href="(.*?)">|<(script) src="(.*?)"></script>')


class HttpResponse(NamedTuple):
    """What Flask takes for a response, and Starlette as its arguments."""

    body: bytes
    status: int
    headers: dict[str, str]


def json_response(status: int, content: Any) -> HttpResponse:
    """Return a response in JSON; NaN and infinity, which JSON does not have, become null."""
    return HttpResponse(to_json(content, inf_nan_mode="null"), status, JSON)


class RequestError(Exception):
    """A request that cannot be served; its caller gets `detail` with `status`."""

    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@cache
def page(name: str) -> HttpResponse:
    """Return a page: that with the form, or "docs.html", as FastAPI's own loads from elsewhere."""
    html = LINKED.sub(_inline, _text(name))
    policy = (
        f"default-src 'none'; script-src {_hashes(html, 'script')}; "
        f"style-src {_hashes(html, 'style')}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return HttpResponse(html.encode(), 200, headers)


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _inline(link: re.Match[str]) -> str:
    """Return what a page links to as an element of its own."""
    tag, file = (part for part in link.groups() if part)
    return f"<{tag}>\n{_text(file)}</{tag}>"


def _hashes(html: str, tag: str) -> str:
    """Name the inline scripts or styles of the page, so that no other may run."""
    bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
    digests = (hashlib.sha256(body.encode()).digest() for body in bodies)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
