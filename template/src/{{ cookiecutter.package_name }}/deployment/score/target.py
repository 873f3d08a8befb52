"""The file that scoring writes."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Say of which file it was if the system refuses to write in the block.

    Raises
    ------
    UserError
        If the disk is full, say, or the folder is read-only.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            f"{target} cannot be written: {reason}; make room, see to the rights or name another "
            "file, then try again."
        ) from None
