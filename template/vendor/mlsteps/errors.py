"""The one exception whose message is written for the user, and whose code has failed."""

import sysconfig
import traceback
from pathlib import Path
from types import FrameType

import click

HOUSES = (
    Path(__file__).parent,
    *(
        Path(path)
        for path in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    ),
)

SENT = "<dynamic-code>"  # what cloudpickle calls the file of code that came from another process


class UserError(click.ClickException):
    """A mistake that the user can mend.

    The message is one sentence: what is wrong, what was found, what is allowed, what to do.
    The command line prints it without a traceback and ends with exit code 2.
    """

    exit_code = 2


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says, or its type, to stand in a sentence."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def raised_by_project(error: BaseException) -> bool:
    """Tell whether an exception passed through code of the project.

    That is any file outside of this library, of Python's own and of installed packages; on a
    worker of a cluster, where code has no file, what is not of a module of this library.
    """
    return any(_of_project(frame) for frame, _ in traceback.walk_tb(error.__traceback__))


def _of_project(frame: FrameType) -> bool:
    file, module = frame.f_code.co_filename, frame.f_globals.get("__name__", "")
    if module.partition(".")[0] == __package__:
        return False
    made = file.startswith("<")  # by a library, or typed in
    return file == SENT or not (made or any(Path(file).is_relative_to(h) for h in HOUSES))
