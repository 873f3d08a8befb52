"""Who may send requests: callers with a key, and pages of sites that are allowed."""

import hashlib
import hmac
import re
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from ...environment import FROM_ENVIRONMENT, from_environment, named
from ...errors import UserError
from .responses import RequestError

SHORTEST = 16  # characters; shorter ones can be guessed
SETTING = "[serving] api_keys"
# They tell nothing of the rows, and probes and browsers cannot show a key.
NO_KEY_NEEDED = frozenset({"/", "/docs", "/metrics", "/health/live", "/health/ready"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HOST = re.compile(r"\[?([^\]]*?)\]?(:\d*)?")  # of the header: a name or an address, and a port

local_names: set[str] = set()  # of a service that only this machine reaches


class ApiKeys:
    """The keys of ``[serving] api_keys``; without any, everybody is let in.

    Only their digests are kept, and a key is compared with all of them in constant time.

    Parameters
    ----------
    setting : str
        Empty, or ``env:NAME`` for an environment variable with keys, separated by commas or blanks.
        Several may be valid at once, so that an old one can be replaced without a pause.

    Raises
    ------
    UserError
        If it is something else, or that variable holds no good keys.

    Examples
    --------
    >>> import os
    >>> os.environ["KEYS"] = "correct-horse-battery-staple"
    >>> ApiKeys("env:KEYS").check("/predict", "Bearer correct-horse-battery-staple")
    '87cbebfe'
    """

    def __init__(self, setting: str) -> None:
        named_one = setting.startswith(FROM_ENVIRONMENT) and setting != FROM_ENVIRONMENT
        if setting and not named_one:
            raise UserError(
                f"{SETTING} holds something else than the name of an environment variable; put the "
                'keys into one, API_KEYS say, and write api_keys = "env:API_KEYS".'
            )
        keys = from_environment(setting, SETTING).replace(",", " ").split()
        if setting and len(min(keys, key=len, default="")) < SHORTEST:
            raise UserError(
                f"{named(setting, SETTING)} holds a key of less than {SHORTEST} characters; "
                "`openssl rand -hex 32` makes a good one."
            )
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        """Tell whether callers need a key."""
        return bool(self._digests)

    def check(self, path: str, authorization: str | None) -> str:
        """Return a short name of the key in an Authorization header, "" where none is needed.

        The name tells in the log which keys are still in use, and does not give them away.

        Raises
        ------
        RequestError
            If the key is missing or not known.
        """
        if not self._digests or path in NO_KEY_NEEDED:
            return ""
        if not authorization:
            raise RequestError(401, "A key is needed; send the header Authorization: Bearer KEY.")
        scheme, _, key = authorization.partition(" ")
        digest = _digest(key.strip() if scheme.lower() == "bearer" else "")
        found = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(found):
            raise RequestError(401, "The key is not known.")
        return digest[:8]


def check_host(path: str, header: str | None, allowed: Collection[str]) -> None:
    """Refuse a request to another's name: a page may let its own lead here, and then reads all.

    Names of this machine are known where nobody else reaches the service, else any is until
    ``[serving] allowed_hosts`` lists some. Whoever sends no name is no browser.
    """
    names = {*allowed, *local_names}
    if not names or "*" in names or path in NO_KEY_NEEDED or not header:
        return
    found = HOST.fullmatch(header.lower())
    if not found or found[1] not in names:
        raise RequestError(
            403,
            f"{header[:100]} is not known here; add it to [serving] allowed_hosts if it is one.",
        )


def check_origin(
    method: str, header: Callable[[str], str | None], allowed: Collection[str]
) -> None:
    """Refuse a POST that a browser sends for a page of another site: it does harm unanswered.

    Every browser says where a POST comes from, and most whether that is the same site (the
    algorithm is that of Go's net/http.CrossOriginProtection).
    """
    origin = header("origin")
    if method != "POST" or not origin or origin in allowed:
        return
    same = header("sec-fetch-site")
    if same in ("same-origin", "none") if same else _host(origin) == header("host"):
        return
    sites = "add it to [serving] cors if they should."
    raise RequestError(403, f"Pages of {origin[:100]} may not ask; {sites}")


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # "http://[::1" is no address
        return None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
