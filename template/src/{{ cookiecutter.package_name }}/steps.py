"""When a step may be skipped: what it reads, and what it left behind last time."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import UserError
from .files import file_digest, read_json, write_json

# The directories of the steps, in order. A step imports from earlier ones only, so these and the
# modules beside this file are all the code that it can depend on.
DIRECTORIES = (
    "problem",
    "collection",
    "preparation",
    "exploration",
    "modeling",
    "evaluation",
    "deployment",
    "improvement",
)
LIBRARIES = ("numpy", "pandas", "scikit-learn")
RECORD = "steps.json"
LOCK = ".lock"


@dataclass(frozen=True)
class Step:
    """What decides whether a step has to run again.

    Attributes
    ----------
    directory
        Where its code is.
    settings
        Tables and keys of project.toml that it looks at.
    reads, writes
        Patterns of files below the project; ``{newest}`` is the version trained last.
    """

    directory: str
    settings: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


_TARGET = ("problem.type", "problem.target", "problem.positive")
_CALENDAR = (
    *(f"problem.{key}" for key in ("horizon", "frequency", "season")),
    *(f"preparation.{key}" for key in ("gaps", "duplicates", "short")),
)
_DECIDING = tuple(
    f"evaluation.{key}"
    for key in ("calibrate", "interval", "false_positive_cost", "false_negative_cost")
)
_LEARNING = (*_TARGET, "problem.metric", "split", "preparation", "search", "models")

STEPS = {
    "define": Step(
        "problem",
        ("problem", "columns", "split", "search.folds", "constraints", "data"),
        ("data/raw/*.parquet",),
        (),
    ),
    "collect": Step("collection", ("data",), (), ("data/raw/data.parquet",)),
    "prepare": Step(
        "preparation",
        (*_TARGET, *_CALENDAR, "columns", "split", "search.seed"),
        ("data/raw/*.parquet",),
        ("data/prepared/train.parquet", "data/prepared/test.parquet", "data/prepared/schema.json"),
    ),
    "explore": Step(
        "exploration", _TARGET, ("data/prepared/train.parquet", "data/prepared/schema.json"), ()
    ),
    "train": Step(
        "modeling",
        (*_LEARNING, *_DECIDING),
        ("data/prepared/train.parquet", "data/prepared/*.parquet", "data/prepared/schema.json"),
        (
            "models/{newest}/model.skops",
            "models/{newest}/schema.json",
            "models/{newest}/run.json",
            "models/{newest}/training_keys.npy",
            "models/{newest}/reference.parquet",
        ),
    ),
    "evaluate": Step(
        "evaluation",
        ("problem", "evaluation", "constraints", "search.seed"),
        ("models/{newest}/model.skops", "models/{newest}/schema.json", "data/prepared/*.parquet"),
        (
            "models/{newest}/metrics.json",
            "models/{newest}/card.md",
            "models/{newest}/answers.parquet",
            "reports/metrics.json",
        ),
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What came of a step."""

    summary: str
    seconds: float
    skipped: bool


@contextmanager
def lock(folder: Path, work: Path | None = None) -> Iterator[None]:
    """Let one process at a time work in a folder; one that ends, or is killed, frees the lock.

    Parameters
    ----------
    folder
        That of the models, for the steps.
    work
        What messages say is worked on, if it is not the folder.

    Raises
    ------
    UserError
        If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = FileLock(folder / LOCK)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"Another process is at work on {work or folder}; wait until it has ended, then try "
            "again."
        ) from None
    try:
        yield
    finally:
        held.release()


def run_step(
    root: Path,
    settings: dict[str, Any],
    name: str,
    work: Callable[[], str],
    *,
    force: bool = False,
    source: str | None = "",
) -> Outcome:
    """Do the work of a step unless its inputs, settings and code are what they were.

    Parameters
    ----------
    root
        The project.
    settings
        The content of project.toml.
    name
        A key of `STEPS`.
    work
        Does the step and returns its summary.
    force
        Do it in any case.
    source
        What tells that a source outside of the project changed; None if nothing can.
    """
    step = STEPS[name]
    _require_inputs(root, step)
    record = _read_record(root)
    before = record.get(name, {})
    digest = _digest(root, settings, step, source)
    known = source is not None and before.get("digest") == digest
    if known and not force and _is_whole(root, before["wrote"]):
        return Outcome(before["summary"], 0.0, skipped=True)
    started = time.monotonic()
    summary = work()
    seconds = time.monotonic() - started
    wrote = {
        path.relative_to(root).as_posix(): file_digest(path) for path in _find(root, step.writes)
    }
    record = _read_record(root) | {
        name: {
            "digest": digest,
            "summary": summary,
            "seconds": seconds,
            "wrote": wrote,
        }
    }
    write_json(root / "reports" / RECORD, record)
    return Outcome(summary, seconds, skipped=False)


def _require_inputs(root: Path, step: Step) -> None:
    for pattern in step.reads:
        if not _find(root, (pattern,)):
            raise UserError(f"{_newest(root, pattern)} does not exist yet; `run` makes it.")


def _is_whole(root: Path, wrote: dict[str, str]) -> bool:
    """Tell whether the files that a step wrote are still there, and still the same."""
    return all(
        (root / name).is_file() and file_digest(root / name) == digest
        for name, digest in wrote.items()
    )


def _read_record(root: Path) -> dict[str, Any]:
    """Return what the steps left behind; without it, or if it is damaged, they run again."""
    try:
        steps = read_json(root / "reports" / RECORD).items()
        return {name: dict(step) for name, step in steps}
    except (UserError, AttributeError, TypeError, ValueError):
        return {}


def _digest(root: Path, settings: dict[str, Any], step: Step, source: str | None) -> str:
    """Return a digest of everything that the outcome depends on."""
    return _hash(
        {
            "settings": {key: _setting(settings, key) for key in step.settings},
            "code": code_digest(step.directory),
            "reads": {str(f.relative_to(root)): file_digest(f) for f in _find(root, step.reads)},
            "source": source,
        }
    )


def code_digest(directory: str) -> str:
    """Return a digest of all code that a step can depend on, its libraries among it."""
    package = Path(__file__).parent
    before = DIRECTORIES[: DIRECTORIES.index(directory) + 1]
    code = [*package.glob("*.py"), *(f for d in before for f in (package / d).rglob("*.py"))]
    return _hash(
        {
            "files": {
                str(f.relative_to(package)): file_digest(f) for f in code if f.name != "cli.py"
            },
            "libraries": {name: version(name) for name in LIBRARIES},
        }
    )


def _hash(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _setting(settings: dict[str, Any], key: str) -> Any:
    table, _, name = key.partition(".")
    return settings.get(table, {}).get(name) if name else settings.get(table)


def _find(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted(f for pattern in patterns for f in root.glob(_newest(root, pattern)))


def _newest(root: Path, pattern: str) -> str:
    """Return `pattern` with the version that was trained last."""
    newest = max((p.parent.name for p in root.glob("models/[0-9]*/run.json")), default="VERSION")
    return pattern.format(newest=newest)
