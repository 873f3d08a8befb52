"""Secrets that stand in project.toml, where no secret may."""

import re
from urllib.parse import parse_qsl, urlsplit

SECRET = re.compile(
    r"(api|app|access|auth|bearer|client|private|refresh|secret|subscription)?(key|token|secret)"
    r"|password|passwd|pwd|signature|sig|authorization|credentials"
)


def is_secret(name: str) -> bool:
    """Tell whether a parameter of this name holds a secret, such as ``api_key``."""
    return bool(SECRET.fullmatch(re.sub(r"[-_. ]", "", name.lower())))


def refuse_secret(key: str, url: str, remedy: str) -> None:
    """Refuse a URL that holds a password or another secret.

    Parameters
    ----------
    key
        Of ``[data]``.
    remedy
        What to do: the end of a sentence.

    Raises
    ------
    ValueError
        If it does.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # what is no URL is told when it is asked
        return
    names = [name for name, value in parse_qsl(parts.query) if value and is_secret(name)]
    # A database may be told its user; what stands there in the web is a token or has a password.
    if parts.password or (parts.username and parts.scheme.startswith("http")):
        raise ValueError(f"[data] {key} holds a password; {remedy}")
    if parts.scheme and names:
        raise ValueError(f'[data] {key} holds a secret, "{names[0]}"; {remedy}')
