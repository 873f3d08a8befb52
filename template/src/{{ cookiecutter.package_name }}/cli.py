"""The command line: the library's commands, and room for your own.

Each function below imports a part of the project when a command asks for it, so that ``--help``
does not wait for scikit-learn. A command of your own stands below ``main``, as
https://click.palletsprojects.com shows::

    import click
    from mlsteps import open_project

    @main.command()
    def hello() -> None:
        click.echo(open_project().root)
"""

from importlib.util import find_spec
from typing import Any

from mlsteps.cli import command_line


def steps() -> Any:
    """Return the steps that `run` walks through."""
    from .pipeline import STEPS

    return STEPS


def metrics() -> Any:
    """Return your metrics."""
    from .problem.metrics import METRICS

    return METRICS


def load_model() -> Any:
    """Return what loads a model."""
    from .modeling.predictor import load_model

    return load_model


def policy() -> Any:
    """Return the rules of `monitor` and `improve`."""
    from .improvement.policy import POLICY

    return POLICY


def score() -> Any:
    """Return what `predict` does."""
    from .deployment.score import score

    return score


def serve() -> Any:
    """Return what `serve` does."""
    from .deployment.service import serve

    return serve


main = command_line(
    steps=steps,
    metrics=metrics,
    load_model=load_model,
    policy=policy,
    score=score,
    serve=serve if find_spec(".deployment.service", __package__) else None,
)
