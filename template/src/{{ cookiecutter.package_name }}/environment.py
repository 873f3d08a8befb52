"""Settings that stand in the environment, because project.toml may hold no secret."""

import os

from .errors import UserError

FROM_ENVIRONMENT = "env:"


def from_environment(given: str, key: str) -> str:
    """Return `given`, or for ``env:NAME`` what the environment variable NAME holds.

    Parameters
    ----------
    given
        The value in project.toml.
    key
        Where it stands there.

    Raises
    ------
    UserError
        If the environment has no such variable.
    """
    if not given.startswith(FROM_ENVIRONMENT):
        return given
    value = os.environ.get(given.removeprefix(FROM_ENVIRONMENT))
    if not value:
        raise UserError(f"{named(given, key)} is not set; set it, or name another one.")
    return value


def named(given: str, key: str) -> str:
    """Return how messages call a setting: by its key, and by the variable that holds it."""
    if not given.startswith(FROM_ENVIRONMENT):
        return key
    name = given.removeprefix(FROM_ENVIRONMENT)
    return f"The environment variable {name}, which {key} names,"
