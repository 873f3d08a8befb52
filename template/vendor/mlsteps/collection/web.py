"""Ask for pages of the web: at a pace, again where that helps, and with a sentence where not."""

import ssl
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar

import httpx2
import stamina

from ..errors import UserError
from ..files import replacing
from .stream import quoted, without_secrets

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between attempts, where the server does not say
PATIENCE = 300.0  # seconds that a server may ask to wait
BLOCK = 1 << 20  # bytes
NO_ADDRESS = "{} is not the address of a server; one looks like https://example.org/path."
BUSY = {429, 500, 502, 503, 504}

Result = TypeVar("Result")

stamina.instrumentation.set_on_retry_hooks([])  # it would log what it does, with the address


@dataclass
class Web:
    """A client that keeps to a pace.

    Attributes
    ----------
    client
        Holds the headers, the credentials and the time limit.
    seconds
        Between the beginnings of two requests.
    attempts
        How often a request is made that the server is too busy for, or that is cut off.
    remedy
        What to do when the server refuses whoever asks: the end of a sentence.
    """

    client: httpx2.Client
    seconds: float = 0.0
    attempts: int = 5
    remedy: str = "it wants credentials"
    _last: float = field(default=float("-inf"), init=False)

    def get(self, url: str, allowed: Collection[int] = ()) -> httpx2.Response:
        """Return the response to a GET request, read to its end."""

        def send() -> httpx2.Response:
            response = self.client.get(url)
            return response if response.status_code in allowed else response.raise_for_status()

        return self._try(url, send)

    def download(self, url: str, target: Path) -> None:
        """Write what a URL gives to a file, whole or not at all."""

        def fetch() -> None:
            with self.client.stream("GET", url) as response, replacing(target) as temporary:
                response.raise_for_status()
                with temporary.open("wb") as file:
                    for block in response.iter_bytes(BLOCK):
                        file.write(block)

        self._try(url, fetch)

    def _try(self, url: str, send: Callable[[], Result]) -> Result:
        shown = without_secrets(url)
        try:
            for attempt in stamina.retry_context(
                on=_worth_another,
                attempts=self.attempts,
                timeout=None,
                wait_initial=FIRST_WAIT,
                wait_max=LONGEST_WAIT,
            ):
                with attempt:
                    self._wait()
                    return send()
        except httpx2.HTTPStatusError as error:
            raise UserError(self._status_message(shown, error.response)) from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            raise UserError(NO_ADDRESS.format(shown)) from None
        except httpx2.LocalProtocolError:  # a line break in a token; the error repeats it
            raise UserError(
                f"{shown} cannot be asked, because no header can hold the credentials: "
                f"{self.remedy}."
            ) from None
        except httpx2.TransportError as error:
            raise UserError(_transport_message(shown, error)) from None
        raise AssertionError  # the last attempt returns or raises

    def _wait(self) -> None:
        time.sleep(max(0.0, self._last + self.seconds - time.monotonic()))
        self._last = time.monotonic()

    def _status_message(self, shown: str, response: httpx2.Response) -> str:
        status = quoted(f"{response.status_code} {response.reason_phrase}".strip())
        if response.status_code in {401, 403, 407}:
            return f"{shown} refuses to answer ({status}): {self.remedy}."
        if response.status_code in {404, 410}:
            return f"{shown} does not exist ({status}); correct the address in [data]."
        if response.status_code in BUSY:
            return (
                f"{shown} is too busy ({status}, {self.attempts} attempts); try again later, or "
                "ask more slowly."
            )
        if response.is_redirect:
            target = quoted(response.headers.get("location", ""))
            return f"{shown} has moved to {target}; correct the address in [data]."
        return f"{shown} answers {status}; correct [data] in project.toml."


def _worth_another(error: Exception) -> bool | float:
    """Tell whether to ask again; a number is how long the server wants us to wait."""
    if isinstance(error, httpx2.HTTPStatusError):
        if error.response.status_code not in BUSY:
            return False
        wait = _retry_after(error.response)
        return wait <= PATIENCE and (wait or True)
    cut = isinstance(error, httpx2.TransportError)
    ours = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)
    return cut and not isinstance(error, ours) and not _certificate(error)


def _retry_after(response: httpx2.Response) -> float:
    """Return the seconds that the header Retry-After asks for, 0 if it does not."""
    given = response.headers.get("retry-after", "")
    if given.isdigit():
        return float(given)
    try:
        return max(0.0, (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _transport_message(shown: str, error: httpx2.TransportError) -> str:
    reason = (quoted(str(error)).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    if _certificate(error):
        return (
            f"The certificate of {shown} does not verify ({reason}); if it is your own "
            "organisation's, set SSL_CERT_FILE to the file of its authority."
        )
    if isinstance(error, httpx2.TimeoutException):
        return f"{shown} does not answer in time; correct the address, or raise timeout_seconds."
    return f"{shown} does not answer ({reason}); correct the address in [data]."


def _certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def address(url: str, page: str = "") -> httpx2.URL:
    """Return an address, which may be relative to that of a page."""
    try:
        full = httpx2.URL(page).join(url)
    except httpx2.InvalidURL:
        full = httpx2.URL()
    if full.scheme not in {"http", "https"} or not full.host:
        raise UserError(NO_ADDRESS.format(without_secrets(url)))
    return full


def same_origin(url: str, name: str) -> Callable[[httpx2.Request], None]:
    """Return a hook that keeps requests, and the credentials in them, at one server."""
    home = address(url)

    def check(request: httpx2.Request) -> None:
        if (request.url.host, request.url.port) != (home.host, home.port):
            raise UserError(
                f"{name} leads to another server, {quoted(request.url.host)}, which would get the "
                "credentials; set [data] url to that one if it is right."
            )

    return check
