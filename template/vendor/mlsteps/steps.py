"""When a step may be skipped: what it reads, and what it left behind last time."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .dependencies import code_files, source_of
from .errors import UserError
from .files import file_digest, read_json, release_memory, version_age, write_json

LIBRARIES = ("numpy", "pandas", "scikit-learn")
RECORD = "steps.json"
LOCK = ".lock"


@dataclass(frozen=True)
class Step:
    """A step, and what decides whether it has to run again.

    Beside what is named here, its code counts: the function, the modules of the project that the
    function uses, and this library.

    Attributes
    ----------
    function
        Takes the project, does the step and returns its summary. The step has its name.
    settings
        Tables and keys of project.toml that it looks at.
    reads, writes
        Patterns of files below the project; ``{newest}`` is the version trained last.
    takes
        Which options `run_step` passes on: "force", or "trained_on".
    changed
        Returns what tells that a source outside of the project changed; None if nothing can.
    """

    function: Callable[..., str]
    settings: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    changed: Callable[[Any], str | None] | None = None

    @property
    def name(self) -> str:
        """The name of the command."""
        return self.function.__name__


@dataclass(frozen=True)
class Outcome:
    """What came of a step."""

    summary: str
    seconds: float
    skipped: bool


@contextmanager
def lock(folder: Path, work: Path | None = None) -> Iterator[None]:
    """Let one process at a time work in a folder; one that ends, or is killed, frees the lock."""
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
    project: Any,
    step: Step,
    *,
    force: bool = False,
    trained_on: Callable[[Any], Any] | None = None,
) -> Outcome:
    """Do the work of a step unless its inputs, settings and code are what they were."""
    root = project.root
    for pattern in step.reads:
        if not _find(root, (pattern,)):
            raise UserError(f"{_newest(root, pattern)} does not exist yet; `run` makes it.")
    source = step.changed(project) if step.changed else ""
    digest = _digest(project, step, source)
    before = _read_record(root).get(step.name, {})
    known = source is not None and before.get("digest") == digest
    if known and not force and _digests(root, before["wrote"]) == before["wrote"]:
        return Outcome(before["summary"], 0.0, skipped=True)
    given = {"force": force, "trained_on": trained_on}
    started = time.monotonic()
    summary = step.function(project, **{name: given[name] for name in step.takes})
    seconds = time.monotonic() - started
    release_memory()
    wrote = _digests(root, step.writes)
    left = {"digest": digest, "summary": summary, "seconds": seconds, "wrote": wrote}
    write_json(root / "reports" / RECORD, _read_record(root) | {step.name: left})
    return Outcome(summary, seconds, skipped=False)


def _read_record(root: Path) -> dict[str, Any]:
    """Return what the steps left behind; without it, or if it is damaged, they run again."""
    try:
        return {name: dict(step) for name, step in read_json(root / "reports" / RECORD).items()}
    except (UserError, AttributeError, TypeError, ValueError):
        return {}


def _digest(project: Any, step: Step, source: str | None) -> str:
    """Return a digest of everything that the outcome of a step depends on."""
    settings = project.definition.model_dump(mode="json")
    return _hash(
        {
            "settings": {key: _setting(settings, key) for key in step.settings},
            "code": code_digest(step.function),
            "reads": _digests(project.root, step.reads),
            "source": source,
        }
    )


def code_digest(function: Callable[..., Any]) -> str:
    """Return a digest of the code that a function uses: of the project and of libraries."""
    files = {"/".join(path.parts[-3:]): file_digest(path) for path in code_files(function)}
    return _hash(
        {
            "function": source_of(function),
            "files": files,
            "library": library_digest(),
            "libraries": {name: version(name) for name in LIBRARIES},
        }
    )


@cache
def library_digest() -> str:
    """Return a digest of the code of this library."""
    return _hash(_digests(Path(__file__).parent, ("**/*.py",)))


def _hash(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _setting(settings: dict[str, Any], key: str) -> Any:
    table, _, name = key.partition(".")
    return settings.get(table, {}).get(name) if name else settings.get(table)


def _digests(root: Path, patterns: Iterable[str]) -> dict[str, str]:
    """Return the digest of each file that the patterns match, by its path below `root`."""
    return {path.relative_to(root).as_posix(): file_digest(path) for path in _find(root, patterns)}


def _find(root: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted(f for pattern in patterns for f in root.glob(_newest(root, pattern)))


def _newest(root: Path, pattern: str) -> str:
    """Return `pattern` with the version that was trained last."""
    names = (path.parent.name for path in root.glob("models/[0-9]*/run.json"))
    newest = max(names, key=version_age, default="VERSION")
    return pattern.format(newest=newest)
