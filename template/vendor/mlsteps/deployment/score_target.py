"""The file that scoring writes, and what it is made from."""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

from ..errors import UserError
from ..problem.project import Project

ID = "prediction_id"  # the column that feedback is joined by
NO_ANSWER = "; the challenger in the shadow does not answer: "
LOGGED_BEFORE = "; the prediction log had these rows already"


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


def run_id(project: Project, data: str, version: str) -> UUID:
    """Return the id of a scoring: the same whenever the same is made from the same.

    Its predictions get the same ids by it.

    Parameters
    ----------
    data
        The digest of what was read.
    version
        The champion.
    """
    made_from = {
        "data": data,
        "missing": list(project.definition.data.missing),
        "version": version,
        "log": project.definition.serving.log_files,
    }
    return uuid5(NAMESPACE_OID, json.dumps(made_from))


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
