"""Settings that stand in the environment, because project.toml may hold no secret."""

import os
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from .errors import UserError

FROM_ENVIRONMENT = "env:"
SHORT = 4  # characters; with less than these masked, a sentence could not be read
LONG = 12  # characters of what is no word in the query of a URL, but a key or a signature

_secrets: set[str] = set()  # that were handed out, as they are and percent-encoded


def from_environment(given: str, key: str) -> str:
    """Return `given`, or for ``env:NAME`` what the environment variable NAME holds."""
    if not given.startswith(FROM_ENVIRONMENT):
        return given
    value = os.environ.get(given.removeprefix(FROM_ENVIRONMENT))
    if not value:
        raise UserError(f"{named(given, key)} is not set; set it, or name another one.")
    remember(value)
    return value


def remember(secret: str) -> None:
    """Let `masked` know a secret that may be sent: a token, ``user:password``, or a URL of them."""
    for part in _secret_parts(secret):
        if len(part) >= SHORT:
            _secrets.update({part, quote(part, "")})


def _secret_parts(secret: str) -> list[str]:
    if "://" not in secret:
        return [secret, secret.partition(":")[2]]
    try:
        url = urlsplit(secret)
    except ValueError:
        return [secret]
    web = url.scheme.startswith("http")  # a database has paths and options there
    options = [v for n, v in parse_qsl(url.query) if "pass" in n or (web and len(v) >= LONG)]
    return [unquote(url.password or ""), *options]


def masked(text: str) -> str:
    """Return `text` with asterisks for the secrets that were handed out."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
    return text


def named(given: str, key: str) -> str:
    """Return how messages call a setting: by its key, and by the variable that holds it."""
    if not given.startswith(FROM_ENVIRONMENT):
        return key
    name = given.removeprefix(FROM_ENVIRONMENT)
    return f"The environment variable {name}, which {key} names,"
