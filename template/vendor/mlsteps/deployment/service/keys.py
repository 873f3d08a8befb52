"""The keys that callers show, if the service asks for any."""

import hashlib
import hmac
import os

from ...errors import UserError

FROM_ENVIRONMENT = "env:"
SHORTEST = 16  # characters; shorter ones can be guessed
SCHEME = "bearer "


class Keys:
    """Keys that are known; without any, everybody is let in.

    Only their digests are kept, and a key is compared with all of them in constant time.

    Parameters
    ----------
    keys
        Several may be valid at once, so that an old one can be replaced without a pause.
    """

    def __init__(self, keys: list[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        """Tell whether keys are asked for."""
        return bool(self._digests)

    def find(self, authorization: str) -> str:
        """Return a short name of the key in an Authorization header, "" if it is not known.

        The name tells in the log which keys are still in use, and does not give them away.
        """
        given = authorization[len(SCHEME) :].strip()
        digest = _digest(given if authorization.lower().startswith(SCHEME) else "")
        found = [hmac.compare_digest(digest, known) for known in self._digests]
        return digest[:8] if any(found) else ""


def read_keys(setting: str) -> Keys:
    """Return the keys that ``[serving] api_keys`` names, separated by commas or blanks.

    Raises
    ------
    UserError
        If it is neither empty nor ``env:NAME``, or that variable holds no good keys.
    """
    if not setting:
        return Keys([])
    if not setting.startswith(FROM_ENVIRONMENT) or setting == FROM_ENVIRONMENT:
        raise UserError(
            "[serving] api_keys holds something else than the name of an environment variable; "
            'put the keys into one, API_KEYS say, and write api_keys = "env:API_KEYS".'
        )
    name = setting.removeprefix(FROM_ENVIRONMENT)
    keys = os.environ.get(name, "").replace(",", " ").split()
    if not keys:
        raise UserError(
            f"The environment variable {name}, which [serving] api_keys names, holds no keys; "
            "set it to one or several, separated by commas."
        )
    shortest = min(map(len, keys))
    if shortest < SHORTEST:
        raise UserError(
            f"The environment variable {name} holds a key of {shortest} characters; "
            f"{SHORTEST} are the least. `openssl rand -hex 32` makes a good one."
        )
    return Keys(keys)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
