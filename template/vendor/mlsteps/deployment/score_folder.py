"""Score a folder of files, each a task of its own, into a folder of files with the same names.

A worker writes a file beside its place. The command alone, which has the lock of the folder, logs
its rows, notes that it is finished and puts it in its place, in this order: so a kill at any
moment leaves whole files, and what another worker or run still does is never seen.
"""

import platform
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from tempfile import mkdtemp

from tqdm import tqdm

from ..collection.file import HIDDEN, files_in
from ..collection.stream import digest, left_out
from ..errors import UserError
from ..files import file_digest, read_json, write_json
from ..modeling.parallel import in_parallel, on_cluster, on_workers
from ..modeling.predictor import LoadPredictor
from ..problem.project import Project
from ..report import counted
from ..steps import code_digest, lock
from .prediction_log import log_url
from .score import WRITERS, Scored, Scoring, check_suffix, open_scoring, said_of, write_log
from .score_rows import Found

KEPT = ".predict"  # in the folder that is written: the lock, the records, and what is being made
READING = {"missing", "keep", "decimal", "header", "sheet"}  # of [data]
NAMED = 3  # files that cannot be scored


@dataclass(frozen=True)
class Plan:
    """What all files have in common."""

    scoring: Scoring
    settings: str  # a digest of what decides what is written, beside the rows
    out: Path
    desk: Path  # in it, for what is being made


@dataclass(frozen=True)
class Result:
    """A file that is finished, now or before, or that cannot be scored."""

    name: str
    why_not: str = ""
    read: str = ""  # digests: of the input,
    written: str = ""  # of the output,
    replaced: str = ""  # and of what is there until that is in its place
    found: Found | None = None
    scored: Scored | None = None  # None if it was finished before


def score_folder(
    project: Project, source: Path, out: Path, load_predictor: LoadPredictor, *, explain: bool
) -> str:
    """Score each file of a folder, on the workers of the cluster if there is one; see `score_file`.

    What is finished is not done again while its input, the champion, the code and the settings of
    it are the same.
    """
    shown, source, out = out, source.resolve(), out.resolve()
    files = files_in(source, str(source), WRITERS)
    check_suffix(files[0])
    _check_folder(source, out, {file.name for file in files})
    scoring = open_scoring(project, load_predictor, explain=explain)
    package = load_predictor.__module__.partition(".")[0]
    with lock(out / KEPT, shown), _desk(out) as desk:
        plan = Plan(scoring, _settings(scoring, load_predictor), out, desk)
        with on_cluster(project.definition.compute, package):
            began = time.monotonic()
            results, known = _score_all(plan, files)
            seconds = time.monotonic() - began
    if any(result.why_not for result in results):
        raise UserError(_bad_news(results, shown))
    found = Found.sum(result.found for result in results if result.found)
    now = [result for result in results if result.scored]
    made = "rows" if found.series is None else "forecasts"
    beside = f", in {counted(len(files), 'file')}"
    beside += f" ({len(files) - len(now):,} of them before)" if len(now) < len(files) else ""
    beside += ", as many as were read" if found.series is None else ""
    rows = sum(result.found.rows for result in now if result.found)
    beside += f", {rows / seconds:,.0f} {made} a second" if now else ""
    line = found.sentence(scoring.champion.version, shown, len(files), beside)
    line += "".join({result.scored.note: 1 for result in now if result.scored})
    if known:
        line += f"; the prediction log had the rows of {counted(known, 'file')} already"
    sources = [each for result in now if result.scored for each in result.scored.sources]
    return "\n".join([line, *left_out(sources)])


def _check_folder(source: Path, out: Path, names: set[str]) -> None:
    """Refuse a folder to write in which there is, or will be, anything else."""
    if out.is_relative_to(source) or source.is_relative_to(out):
        raise UserError(f"Of {source} and {out} one is in the other; name a folder beside it.")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; name a folder to write, as {source} is one.")
    for path in sorted(out.iterdir()) if out.exists() else []:
        ours = path.name in names and _record(out, path.name).is_file()
        if not ours and not path.name.startswith(HIDDEN):
            raise UserError(
                f"{out} holds {path.name}, which `predict` has not made there of a file of "
                f"{source}; take it away, or name another folder to write."
            )


@contextmanager
def _desk(out: Path) -> Iterator[Path]:
    """Yield a folder for what is being made; what runs have left that were killed is deleted."""
    for left in (out / KEPT).iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)  # a worker of such a run may be at it still
    desk = Path(mkdtemp(dir=out / KEPT))
    try:
        yield desk
    finally:
        shutil.rmtree(desk, ignore_errors=True)


def _settings(scoring: Scoring, load_predictor: LoadPredictor) -> str:
    definition = scoring.project.definition
    return digest(
        scoring.champion.version,
        code_digest(load_predictor),
        definition.data.model_dump(mode="json", include=READING),
        scoring.explain,
        definition.serving.escape_formulas,
        str(log_url(scoring.project)[0]) if definition.serving.log_files else "",
    )


def _score_all(plan: Plan, files: list[Path]) -> tuple[list[Result], int]:
    """Return what became of each file, by name, and how many the prediction log had already."""
    results: list[Result] = []
    holder: dict[str, str] = {}  # the file of each series
    known = rows = 0
    began = time.monotonic()
    # Forecasts have processes for their series; rows are predicted by libraries, beside each other.
    do = on_workers if plan.scoring.project.definition.problem.of_series else in_parallel
    scored: Generator[Result] = do(partial(_score, plan), ((file,) for file in files))
    bar = tqdm(total=len(files), desc="predict", unit="file", disable=None, leave=False)
    with closing(scored), bar:
        for done in scored:
            result = _once(done, holder)
            if result.scored and result.found:
                known += _put_in_place(plan, result, result.scored)
                rows += result.found.rows
                bar.set_postfix_str(f"{rows / (time.monotonic() - began):,.0f} rows/s", False)
            results.append(result)
            bar.update()
    return sorted(results, key=attrgetter("name")), known


def _once(result: Result, holder: dict[str, str]) -> Result:
    """Refuse a file with a series that another one holds: neither has its whole history."""
    for label in (result.found and result.found.series) or []:
        other = holder.setdefault(label, result.name)
        if other != result.name:
            what = f'the series "{label}"' if label else "the one series"
            remedy = "let a file have all rows of its series, and forecast again."
            return Result(result.name, f"{result.name}: {what} is in {other} as well; {remedy}")
    return result


def _put_in_place(plan: Plan, result: Result, scored: Scored) -> bool:
    """Log a file, note that it is finished, and show it; return whether the log had it already."""
    if not scored.file.is_file():
        raise _not_shared(scored.file)
    known = bool(scored.logs) and not write_log(plan.scoring.project, scored.logs)
    digests = {name: getattr(result, name) for name in ("read", "written", "replaced")}
    about = digests | {"settings": plan.settings, "found": asdict(result.found or Found())}
    write_json(_record(plan.out, result.name), about)
    scored.file.replace(plan.out / result.name)
    shutil.rmtree(scored.file.parent, ignore_errors=True)
    return known


def _record(out: Path, name: str) -> Path:
    return out / KEPT / f"{name}.json"


def _bad_news(results: list[Result], out: Path) -> str:
    first, *more = [result for result in results if result.why_not]
    others = ", ".join(result.name for result in more[:NAMED])
    others += f" and {len(more) - NAMED:,} more" if len(more) > NAMED else ""
    return (
        first.why_not.rstrip(".")
        + (f" (neither can {others} be scored)" if others else "")
        + f"; {counted(len(results) - 1 - len(more), 'other file')} are in {out}, and not scored "
        "again when you give this command again."
    )


def _score(plan: Plan, source: Path) -> Result:
    """Score a file, on whatever machine, unless it is finished."""
    for path in (source, plan.desk):
        if not path.exists():
            raise _not_shared(path)
    name, target, there = source.name, plan.out / source.name, ""
    if target.exists():
        before, there = read_json(_record(plan.out, name)), file_digest(target)
        if there not in (before["written"], before["replaced"]):
            why = f"{target} is not as `predict` has written it; take it away, and it is made again"
            return Result(name, why)
        same = (before["settings"], before["written"]) == (plan.settings, there)
        if same and before["read"] == file_digest(source):
            return Result(name, found=Found(**before["found"]))
    with said_of(target):
        folder = Path(mkdtemp(prefix=f"{name}.", dir=plan.desk))
        try:
            scored = plan.scoring.score(str(source), source.suffix, folder)
        except UserError as error:
            shutil.rmtree(folder)
            return Result(name, error.message)
        written = file_digest(scored.file)
    return Result(name, "", scored.sources[0].sha256, written, there, scored.found, scored)


def _not_shared(path: Path) -> UserError:
    return UserError(
        f"There is no {path} on {platform.node()}; the folder that is read and the one that is "
        "written have to be shared by all workers, under the same paths, and to stay as they are "
        "while files are scored."
    )
