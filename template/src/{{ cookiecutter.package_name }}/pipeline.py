"""Steps 1 to 6 in order. Each is skipped while its inputs, settings and code are what they were."""

from typing import TYPE_CHECKING

from .files import release_memory
from .problem.project import Project
from .steps import Outcome, run_step

if TYPE_CHECKING:
    from .preparation.sets import Learnt

# The definition is read before anything else; `define` holds it against the collected data.
ORDER = ("collect", "define", "prepare", "explore", "train", "evaluate")


def run_one(
    project: Project, name: str, *, force: bool = False, learnt: "Learnt | None" = None
) -> Outcome:
    """Run a step, or skip it.

    Parameters
    ----------
    name
        One of `ORDER`.
    force
        Run it in any case.
    learnt
        For ``prepare``: tells which raw rows must not be in the test set.
    """
    source: str | None = ""
    if name == "collect":
        from .collection.file import fingerprint

        source = fingerprint(project.definition.data, project.root)
    outcome = run_step(
        project.root,
        project.definition.model_dump(mode="json"),
        name,
        lambda: _work(project, name, learnt, force=force),
        force=force,
        source=source,
    )
    if not outcome.skipped:
        release_memory()
    return outcome


def _work(project: Project, name: str, learnt: "Learnt | None", *, force: bool) -> str:
    """Do the step. Imports happen here, so that no command waits for libraries of another step."""
    if name == "collect":
        from .collection.collect import collect

        return collect(project, anew=force)
    if name == "define":
        from .collection.collect import read_raw
        from .problem.check import define

        return define(project, read_raw(project))
    if name == "prepare":
        from .preparation.prepare import prepare

        return prepare(project, learnt)
    if name == "explore":
        from .exploration.explore import explore

        return explore(project)
    if name == "train":
        from .modeling.train import train

        return train(project)
    from .evaluation.evaluate import evaluate

    return evaluate(project)
