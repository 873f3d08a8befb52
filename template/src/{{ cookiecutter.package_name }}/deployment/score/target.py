"""The file that scoring writes."""

from collections.abc import Collection
from pathlib import Path

from ...errors import UserError

ID = "prediction_id"  # the column that feedback is joined by
NO_ANSWER = "; the challenger in the shadow does not answer: "


def check_target(target: Path, formats: Collection[str]) -> None:
    """Raise an error if a file cannot be written because of its name.

    Parameters
    ----------
    formats
        The suffixes that can be written.

    Raises
    ------
    UserError
        If its format is not known.
    """
    if target.suffix not in formats:
        raise UserError(
            f'The file to write, {target}, ends in "{target.suffix}"; '
            f"allowed: {', '.join(formats)}."
        )
