"""Request pages of the web: at a pace, again where that helps, and with a sentence where not."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import httpx2
import stamina

from ..errors import UserError
from ..files import replacing
from .stream import quoted, without_secrets

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between attempts, where the server does not say
MOST_BYTES = 100_000_000  # of a page or a response: it is held in memory
PATIENCE = 300.0  # seconds that a server may want us to wait
BLOCK = 1 << 20  # bytes
BUSY = (429, 500, 502, 503, 504)
STATUS = {
    **dict.fromkeys((301, 302, 303, 307, 308), "has moved ({status}); correct [data] url."),
    **dict.fromkeys((401, 403, 407), "refuses to answer ({status}): {remedy}."),
    **dict.fromkeys((404, 410), "does not exist ({status}); correct the address in [data]."),
    **dict.fromkeys(BUSY, "is too busy ({status}, {attempts} attempts); try again later."),
}
CERTIFICATE = "CERTIFICATE_VERIFY"

stamina.instrumentation.set_on_retry_hooks([])  # it would log what it does, with the address


class Web:
    """A client that keeps to a pace."""

    def __init__(
        self,
        data: Any,
        *,
        seconds: float = 0.0,  # between the beginnings of two requests
        remedy: str = "it wants credentials",  # when the server refuses: the end of a sentence
        home: str = "",  # the address of a server that alone may be asked; redirects count
        **options: Any,  # of the client
    ) -> None:
        self._home = address(home) if home else None
        hooks = {"request": [self._check_home]}
        self.client = httpx2.Client(timeout=data.timeout_seconds, event_hooks=hooks, **options)
        self.attempts, self.seconds, self.remedy = data.attempts, seconds, remedy
        self._last = float("-inf")

    def get(
        self, url: str, *, allowed: Collection[int] = (), target: Path | None = None
    ) -> httpx2.Response:
        """Return the response to a GET request, read to its end or written to a file."""
        shown = without_secrets(str(address(url)))
        try:
            for attempt in stamina.retry_context(
                on=_is_worth_another,
                attempts=self.attempts,
                timeout=None,
                wait_initial=FIRST_WAIT,
                wait_max=LONGEST_WAIT,
            ):
                with attempt:
                    time.sleep(max(0.0, self._last + self.seconds - time.monotonic()))
                    self._last = time.monotonic()
                    with self.client.stream("GET", url) as response:
                        if response.status_code not in allowed:
                            response.raise_for_status()
                        if target is None:
                            return _whole(response, shown)
                        with replacing(target) as temporary, temporary.open("wb") as file:
                            for block in response.iter_bytes(BLOCK):
                                file.write(block)
                        return response
        except httpx2.HTTPStatusError as error:
            code, phrase = error.response.status_code, error.response.reason_phrase
            said = STATUS.get(code, "answers {status}; correct [data] in project.toml.").format(
                status=f"{code} {quoted(phrase)}".strip(),
                remedy=self.remedy,
                attempts=self.attempts,
            )
            raise UserError(f"{shown} {said}") from None
        except httpx2.TransportError as error:
            reason = (quoted(str(error)).splitlines() or [type(error).__name__])[0].rstrip(".")
            remedy = "correct the address in [data], or raise timeout_seconds"
            if CERTIFICATE in reason:
                remedy = "if it is your own organisation's, set SSL_CERT_FILE to its certificate"
            raise UserError(f"{shown} does not answer ({reason}); {remedy}.") from None
        raise AssertionError  # the last attempt returns or raises

    def _check_home(self, request: httpx2.Request) -> None:
        """Send no secret to another server, or over http to the same: others would read it."""
        url, home = request.url, self._home
        if home and (url.scheme, url.netloc) != (home.scheme, home.netloc):
            other = quoted(f"{url.scheme}://{url.host}")
            raise UserError(
                f"{without_secrets(str(home))} leads to another server, {other}; set [data] url to "
                "that one if it is right."
            )


def _whole(response: httpx2.Response, shown: str) -> httpx2.Response:
    """Return a response that was read to its end, unless it is too long to be held in memory."""
    body = bytearray()
    for block in response.iter_bytes(BLOCK):
        body += block
        if len(body) > MOST_BYTES:
            raise UserError(
                f"{shown} answers with more than {MOST_BYTES // 10**6} MB; ask for less at a time."
            )
    headers = {n: v for n, v in response.headers.items() if n in ("content-type", "link")}
    return httpx2.Response(
        response.status_code, headers=headers, content=bytes(body), request=response.request
    )


def _is_worth_another(error: Exception) -> bool | float:
    """Tell whether to send it again; a number is how long the server wants us to wait."""
    if isinstance(error, httpx2.HTTPStatusError):
        after = error.response.headers.get("retry-after", "")
        wait = float(after) if after.isdigit() else 0.0
        return error.response.status_code in BUSY and wait <= PATIENCE and (wait or True)
    return isinstance(error, httpx2.TransportError) and CERTIFICATE not in str(error)


def address(url: str, page: str = "") -> httpx2.URL:
    """Return an address, which may be relative to that of a page."""
    try:
        full = httpx2.URL(page).join(url)
    except httpx2.InvalidURL:
        full = httpx2.URL()
    if full.scheme not in {"http", "https"} or not full.host:
        raise UserError(
            f"{without_secrets(url)} is not the address of a server; one looks like "
            "https://example.org/path."
        )
    return full
