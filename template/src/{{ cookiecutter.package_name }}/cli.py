"""The command line: a command for each step, and those that a model needs afterwards."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

# Steps are imported where a command needs them: --help should not wait for scikit-learn.
if TYPE_CHECKING:
    from .problem.project import Project
    from .steps import Outcome

INTERRUPTED = 130  # the exit code of a shell's command that Ctrl-C has ended
FAILED = 1  # the exit code when the gate failed or `monitor` raised an alarm; mistakes have 2
NAME_WIDTH = 10
SERVICE = ".deployment.service"

force_option = click.option("--force", is_flag=True, help="Run even if nothing has changed.")


class Commands(click.Group):
    """Lists the commands in the order of the steps, and says what the system refuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of this file."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> None:
        """Run a command; a disk that is full or read-only is no reason for a traceback."""
        from .errors import UserError

        try:
            super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # whoever read the output has gone
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise UserError(f"{where}{error.strerror or error}.") from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Define a problem, learn from data, serve predictions and keep getting better.

    Start with `run`; then open reports/index.html.
    """


@main.command()
@force_option
def run(force: bool) -> None:
    """Run steps 1 to 6; promote the model if it passes the gate."""
    from .modeling import store
    from .pipeline import ORDER, run_one

    project = _open()
    with store.locked(project.models):
        for name in ORDER:
            _tell(name, run_one(project, name, force=force))
        passed = _gate_passed(project)
        if passed:
            _promote(project, store.newest_version(project.models), "it passed the gate")
    _track(project)
    _finish(project, passed=passed)


@main.command()
@click.option("--data", metavar="FILE", help="Write the definition for this data.")
@click.option("--target", metavar="COLUMN", help="The column of it to predict.")
@force_option
def define(data: str | None, target: str | None, force: bool) -> None:
    """Check the definition against the data.

    With --data, look at new data and write its definition to project.toml; with --target alone, at
    the data that there is.
    """
    if data or target:
        _define_anew(data, target)
    else:
        _run_steps("collect", "define", force=force)


@main.command()
@click.option("--preview", is_flag=True, help="Show first rows, types and count; write nothing.")
@force_option
def collect(preview: bool, force: bool) -> None:
    """Fetch the data, with its provenance; with --force all of it anew."""
    if preview:
        from .collection.collect import preview as look

        click.echo(look(_open()))
    else:
        _run_steps("collect", force=force)


@main.command()
@force_option
def prepare(force: bool) -> None:
    """Clean and split the rows."""
    _run_steps("prepare", force=force)


@main.command()
@force_option
def explore(force: bool) -> None:
    """Plot the training rows."""
    _run_steps("explore", force=force)


@main.command()
@force_option
def train(force: bool) -> None:
    """Compare the candidates and fit the best."""
    _run_steps("train", force=force)


@main.command()
@force_option
def evaluate(force: bool) -> None:
    """Judge the newest model on the test set; exit code 1 if it fails the gate."""
    from .problem.project import open_project

    _run_steps("evaluate", force=force, finish=False)
    project = open_project()
    _track(project)
    _finish(project, passed=_gate_passed(project))


@main.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
def predict(source: str, target: Path) -> None:
    """Score the rows of a file with the champion."""
    from .deployment.score import score_file

    click.echo(score_file(_open(), source, target))


if find_spec(SERVICE, __package__):  # a project that only scores files has none

    @main.command()
    @click.option("--host", help="Instead of the one in project.toml.")
    @click.option(
        "--port", type=click.IntRange(0, 65535), help="Instead of the one in project.toml."
    )
    def serve(host: str | None, port: int | None) -> None:
        """Start the service."""
        project = _open()
        settings = project.definition.serving
        service = import_module(SERVICE, __package__)
        service.serve(project, host or settings.host, settings.port if port is None else port)


@main.command()
@click.argument("source", metavar="[FILE]", default="")
def feedback(source: str) -> None:
    """Take the truth of earlier predictions from a file with the columns id and actual.

    Without FILE, from what [improvement] truth names.
    """
    from .errors import UserError
    from .improvement.truth import take_truth

    taken = take_truth(_open(), source)
    if taken is None:
        raise UserError("Name a FILE, or set [improvement] truth in project.toml.")
    _say("feedback", taken.summary())


@main.command()
def monitor() -> None:
    """Look for drift and for errors in what was served; exit code 1 on an alarm."""
    from .improvement.card import write_improve_card
    from .improvement.monitor import monitor as watch

    project = _open()
    found = watch(project)
    _say("monitor", found.summary())
    write_improve_card(project, found.summary())
    _finish(project, passed=not found.alarms)


@main.command()
@force_option
def improve(force: bool) -> None:
    """Collect, retrain, compare with the champion, and promote only what is better."""
    from .improvement.card import write_improve_card
    from .improvement.improve import improve as go_round
    from .modeling import store

    project = _open()
    decision = go_round(project, _tell, force=force)
    _say("improve", f"{decision.reason}: {decision.verdict()}")
    write_improve_card(project, f"{store.champion(project.models)} serves: {decision.reason}")
    _show_champion(project)
    _track(project)
    _finish(project)


@main.command()
@click.argument("version")
def promote(version: str) -> None:
    """Let a version serve."""
    project = _open()
    _promote(project, version, "promoted by hand")
    _track(project)
    _finish(project)


@main.command()
def rollback() -> None:
    """Let the champion's predecessor serve again."""
    from .modeling import store

    project = _open()
    _say("rollback", f"{store.rollback(project, 'rolled back by hand')} is the champion again")
    _show_champion(project)
    _track(project)
    _finish(project)


@main.command()
def status() -> None:
    """Show the versions, the champion and what it has done."""
    from .improvement.status import status as lines

    for line in lines(_open()):
        click.echo(line)


def _open() -> "Project":
    from .problem.project import open_project

    return open_project()


def _say(name: str, text: str) -> None:
    first, *more = text.splitlines()
    click.echo(f"{name:<{NAME_WIDTH}}{first}")
    for line in more:
        click.echo(" " * NAME_WIDTH + line)


def _tell(name: str, outcome: "Outcome") -> None:
    end = "unchanged, skipped" if outcome.skipped else f"{outcome.seconds:.1f} s"
    _say(name, f"{outcome.summary} ({end})")


def _run_steps(*names: str, force: bool, finish: bool = True) -> None:
    from .pipeline import run_one
    from .steps import lock

    project = _open()
    with lock(project.models):
        for name in names:
            _tell(name, run_one(project, name, force=force))
    if finish:
        _finish(project)


def _define_anew(data: str | None, target: str | None) -> None:
    from .collection.collect import ROWS
    from .collection.tables import read_tables
    from .files import read_frame
    from .problem.definition import FILE_NAME
    from .problem.rewrite import write_suggestion
    from .problem.suggest import suggest

    project = _open()
    if data:
        frame = read_tables(data, Path.cwd(), project.definition.data.missing).frame
    else:  # of what [data] points to, whatever source that is
        _run_steps("collect", force=False, finish=False)
        frame = read_frame(project.raw / ROWS)
    suggestion = suggest(frame, target or "")
    checked = write_suggestion(project.root / FILE_NAME, suggestion, data)
    for sentence in (*suggestion.sentences(), *checked.sentences):
        click.echo(sentence)
    click.echo(f"{FILE_NAME} is written, with a reason beside each entry; read it, then `run`.")


def _gate_passed(project: "Project") -> bool:
    from .files import read_json
    from .modeling import store

    folder = project.models / store.newest_version(project.models)
    return bool(read_json(folder / store.METRICS)["gate"]["passed"])


def _promote(project: "Project", version: str, reason: str) -> None:
    from .modeling import store

    store.promote(project, version, reason)
    _show_champion(project)
    _say("promote", f"{version} is the champion")


def _track(project: "Project") -> None:
    from .improvement import track

    if said := track(project):
        _say("track", said)


def _show_champion(project: "Project") -> None:
    from .deployment.card import write_serve_card

    write_serve_card(project)


def _finish(project: "Project", *, passed: bool = True) -> None:
    """Make the report of what is there, and end with the exit code."""
    from .report import build

    page = build(project.reports, project.root.name)
    _say("report", str(page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page))
    if not passed:
        sys.exit(FAILED)
