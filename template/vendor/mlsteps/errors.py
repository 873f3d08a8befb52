"""The one exception whose message is written for the user, and whose code has failed."""

import sysconfig
import traceback
from pathlib import Path

import click

HOUSES = (
    Path(__file__).parent,
    *(
        Path(path)
        for path in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    ),
)


class UserError(click.ClickException):
    """A mistake that the user can mend.

    The message is one sentence: what is wrong, what was found, what is allowed, what to do.
    The command line prints it without a traceback and ends with exit code 2.
    """

    exit_code = 2


def raised_by_project(error: BaseException) -> bool:
    """Tell whether an exception passed through code of the project.

    That is any file outside of this library, of Python's own and of installed packages.
    """
    files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
    return any(
        not any(Path(file).is_relative_to(house) for house in HOUSES)
        for file in files
        if not file.startswith("<")  # code that was made by a library, or typed in
    )
