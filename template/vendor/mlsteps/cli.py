"""The commands that every project has, made of what the project hands over."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

# Steps are imported where a command needs them: --help should not wait for scikit-learn.
if TYPE_CHECKING:
    from .problem.project import Project
    from .steps import Outcome

INTERRUPTED, TERMINATED = 130, 143  # the exit codes of a command that Ctrl-C or SIGTERM has ended
STOP_SECONDS = 5.0  # after SIGTERM, for what a command tidies up: orchestrators kill after ten
FAILED = 1  # the exit code when the gate failed or `monitor` raised an alarm; mistakes have 2
NAME_WIDTH = 10

force_option = click.option("--force", is_flag=True, help="Run even if nothing has changed.")
Part = Callable[[], Any]


class Commands(click.Group):
    """Lists the commands in the order of the steps, and says what the system refuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> None:
        """Run a command; a disk that is full or read-only is no reason for a traceback."""
        from .errors import UserError

        if isinstance(sys.stdout, TextIOWrapper):  # a label may have letters that it lacks
            sys.stdout.reconfigure(errors="backslashreplace")
        if threading.current_thread() is threading.main_thread():
            # Without a handler, process 1 of a container would not hear it.
            signal.signal(signal.SIGTERM, _terminate)
        try:
            super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # whoever read the output has gone
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            # In a container the user is a number, which a mounted folder has to belong to.
            named = isinstance(error, PermissionError) and hasattr(os, "geteuid")
            user = f" for user {os.geteuid()}" if named else ""
            raise UserError(f"{where}{error.strerror or error}{user}.") from error


def _terminate(*_: object) -> NoReturn:
    """Leave by an exception; some libraries swallow any while they are imported: then by force."""
    if hasattr(signal, "setitimer"):  # Windows has neither this nor a SIGTERM that is heard
        signal.signal(signal.SIGALRM, lambda *_: os._exit(TERMINATED))
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)
    sys.exit(TERMINATED)


def command_line(  # noqa: C901 - a function for each command
    *,
    steps: Part,
    metrics: Part,
    load_model: Part,
    policy: Part,
    score: Part,
    serve: Part | None = None,
) -> click.Group:
    """Return the commands of a project.

    Each argument is a function that returns a part of the project when a command needs it.

    Parameters
    ----------
    steps
        Returns the steps of the pipeline, in order.
    metrics
        Returns the metrics of the project, by name.
    load_model
        Returns the function that loads the predictor of a version's folder.
    policy
        Returns the rules of `monitor` and `improve`.
    score
        Returns the function that scores a file: ``score(project, source, target)``, with
        ``explain=True`` where reasons are asked for.
    serve
        Returns the function that starts the service: ``serve(project, host, port)``; none where a
        project only scores files.

    Examples
    --------
    >>> main = command_line(
    ...     steps=tuple, metrics=dict, load_model=tuple, policy=tuple, score=tuple
    ... )
    >>> "serve" in main.commands, "predict" in main.commands
    (False, True)
    """

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
        from .steps import lock, run_step

        project = _open(metrics)
        with lock(project.models):
            for step in steps():
                _tell(step.name, run_step(project, step, force=force))
            passed, version = _gate_passed(project), store.newest_version(project.models)
            if passed:
                _promote(project, version, "it passed the gate", load_model(), serves=bool(serve))
            else:
                way = f'`promote {version} --anyway "the reason"` lets it serve all the same'
                _say("promote", f"nothing, as {version} failed the gate; {way}")
        _finish(project, passed=passed, track=load_model)

    @main.command()
    @click.option("--data", metavar="FILE", help="Write the definition for this data.")
    @click.option("--target", metavar="COLUMN", help="The column of it to predict.")
    @force_option
    def define(data: str | None, target: str | None, force: bool) -> None:
        """Check the definition against the data.

        With --data, look at new data and write its definition to project.toml; with --target
        alone, at the data that there is.
        """
        if data or target:
            _define_anew(data, target, steps(), metrics)
        else:
            _run_steps(_open(metrics), steps(), "collect", "define", force=force)

    @main.command()
    @click.option(
        "--preview", is_flag=True, help="Show first rows, types and count; write nothing."
    )
    @force_option
    def collect(preview: bool, force: bool) -> None:
        """Fetch the data, with its provenance; with --force all of it anew."""
        if preview:
            from .collection import preview as look

            click.echo(look(_open(metrics)))
        else:
            _run_steps(_open(metrics), steps(), "collect", force=force)

    @main.command()
    @force_option
    def prepare(force: bool) -> None:
        """Clean and split the rows."""
        _run_steps(_open(metrics), steps(), "prepare", force=force)

    @main.command()
    @force_option
    def explore(force: bool) -> None:
        """Plot the training rows."""
        _run_steps(_open(metrics), steps(), "explore", force=force)

    @main.command()
    @force_option
    def train(force: bool) -> None:
        """Compare the candidates and fit the best."""
        _run_steps(_open(metrics), steps(), "train", force=force)

    @main.command()
    @force_option
    def evaluate(force: bool) -> None:
        """Score the newest model on the test set; exit code 1 if it fails the gate."""
        project = _open(metrics)
        _run_steps(project, steps(), "evaluate", force=force, finish=False)
        _finish(project, passed=_gate_passed(project), track=load_model)

    @main.command()
    @click.argument("source", metavar="IN")
    @click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
    @click.option("--explain", is_flag=True, help="Add what moved each prediction most.")
    def predict(source: str, target: Path, explain: bool) -> None:
        """Score the rows of a file, or of each file of a folder, with the champion."""
        options = {"explain": True} if explain else {}  # an older `score` does not know it
        click.echo(score()(_open(metrics), source, target, **options))

    if serve is not None:

        @main.command("serve")
        @click.option("--host", help="Instead of the one in project.toml.")
        @click.option(
            "--port", type=click.IntRange(0, 65535), help="Instead of the one in project.toml."
        )
        def serve_command(host: str | None, port: int | None) -> None:
            """Start the service."""
            project = _open(metrics)
            settings = project.definition.serving
            start = serve()
            start(project, host or settings.host, settings.port if port is None else port)

    @main.command()
    @click.argument("source", metavar="[FILE]", default="")
    def feedback(source: str) -> None:
        """Take the true labels of earlier predictions from a file with the columns id and actual.

        Without FILE, from what [improvement] labels names.
        """
        from .errors import UserError
        from .improvement import take_feedback

        found = take_feedback(_open(metrics), source)
        if not found:
            raise UserError("Name a FILE, or set [improvement] labels in project.toml.")
        _say("feedback", found)

    @main.command()
    def monitor() -> None:
        """Look for drift and for errors in what was served; exit code 1 on an alarm."""
        from .improvement import monitor as check
        from .improvement.card import write_improve_card

        project = _open(metrics)
        found = check(project, metrics(), load_model(), policy())
        _say("monitor", found.summary())
        write_improve_card(project, found.summary(), metrics())
        _finish(project, passed=not found.alarms)

    @main.command()
    @force_option
    def improve(force: bool) -> None:
        """Collect, retrain, compare with the champion, and promote only what is better."""
        from .improvement import improve as go_round
        from .improvement.card import write_improve_card
        from .modeling import store

        project, load = _open(metrics), load_model()
        result = go_round(project, steps(), metrics(), load, policy(), _tell, force=force)
        _say("improve", f"{result.reason}: {result.verdict()}")
        summary = f"{store.champion(project.models)} serves: {result.reason}"
        write_improve_card(project, summary, metrics())
        _show_champion(project, load, serves=bool(serve))
        _finish(project, track=load_model)

    @main.command()
    @click.argument("version")
    @click.option("--anyway", metavar="REASON", default="", help="Though it failed the gate.")
    def promote(version: str, anyway: str) -> None:
        """Let a version serve."""
        project = _open(metrics)
        _promote(project, version, "by hand", load_model(), anyway.strip(), serves=bool(serve))
        _finish(project, track=load_model)

    @main.command()
    def rollback() -> None:
        """Let the champion's predecessor serve again."""
        from .modeling import store

        project = _open(metrics)
        _say("rollback", f"{store.rollback(project, 'by hand')} is the champion again")
        _show_champion(project, load_model(), serves=bool(serve))
        _finish(project, track=load_model)

    @main.command()
    def status() -> None:
        """Show the versions, the champion and what it has done."""
        from .improvement.status import status as lines

        for line in lines(_open(metrics), metrics()):
            click.echo(line)

    return main


def _open(metrics: Part) -> "Project":
    from .problem.metric import all_metrics, select_metric
    from .problem.project import open_project

    project = open_project()
    problem = project.definition.problem
    select_metric(problem.metric, all_metrics(problem.type, metrics()))
    return project


def _say(name: str, text: str) -> None:
    first, *more = text.splitlines()
    click.echo(f"{name:<{NAME_WIDTH}}{first}")
    for line in more:
        click.echo(" " * NAME_WIDTH + line)


def _tell(name: str, outcome: "Outcome") -> None:
    end = "unchanged, skipped" if outcome.skipped else f"{outcome.seconds:.1f} s"
    _say(name, f"{outcome.summary} ({end})")


def _run_steps(
    project: "Project", steps: Any, *names: str, force: bool, finish: bool = True
) -> None:
    from .steps import lock, run_step

    with lock(project.models):
        for step in steps:
            if step.name in names:
                _tell(step.name, run_step(project, step, force=force))
    if finish:
        _finish(project)


def _define_anew(data: str | None, target: str | None, steps: Any, metrics: Part) -> None:
    from .collection.sample import look_at, read_what_fits
    from .collection.stream import decimal_of, left_out
    from .problem.definition import FILE_NAME
    from .problem.project import ROWS, open_project
    from .problem.suggest import suggest, write_suggestion

    project = open_project()
    of_series = project.definition.problem.of_series
    if data:
        frame, sources, few = read_what_fits(data, project.definition.data, of_series=of_series)
        decimal = decimal_of(sources)
        for sentence in left_out(sources):
            click.echo(sentence)
    else:  # of what [data] points to, whatever source that is
        _run_steps(project, steps, "collect", force=False, finish=False)
        frame, few = look_at(project.raw / ROWS, of_series=of_series)
        decimal = project.collected().data.decimal
    suggestion = suggest(frame, target or "", project.definition.problem.type, decimal)
    sentences = write_suggestion(project.root / FILE_NAME, suggestion, metrics(), data, few)
    for sentence in (*suggestion.sentences(), *sentences):
        click.echo(sentence)
    click.echo(f"{FILE_NAME} is written, with a reason beside each entry; read it, then `run`.")


def _gate_passed(project: "Project") -> bool:
    from .files import read_json
    from .modeling import store

    folder = project.models / store.newest_version(project.models)
    return bool(read_json(folder / store.METRICS)["gate"]["passed"])


def _promote(
    project: "Project", version: str, reason: str, load: Any, anyway: str = "", *, serves: bool
) -> None:
    from .modeling import store

    store.promote(project, version, reason, anyway)
    _show_champion(project, load, serves=serves)
    _say("promote", f"{version} is the champion")


def _show_champion(project: "Project", load: Any, *, serves: bool) -> None:
    from .deployment.card import write_serve_card

    name = Path(sys.argv[0]).name
    command = f"python -m {Path(sys.argv[0]).parent.name}" if name == "__main__.py" else name
    write_serve_card(project, load, command, serves=serves)


def _finish(project: "Project", *, passed: bool = True, track: Part | None = None) -> None:
    """Record the runs where MLflow tracks them, make the report, and end with the exit code."""
    from .report import build

    if track and project.definition.improvement.tracking != "json":
        from .improvement.tracking import track as record

        if said := record(project, track()):
            _say("track", said)
    page = build(project.reports, project.root.name)
    _say("report", str(page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page))
    if not passed:
        sys.exit(FAILED)
