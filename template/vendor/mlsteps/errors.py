"""The one exception whose message is written for the user."""

import click


class UserError(click.ClickException):
    """A mistake that the user can mend.

    The message is one sentence: what is wrong, what was found, what is allowed, what to do.
    The command line prints it without a traceback and ends with exit code 2.
    """

    exit_code = 2
