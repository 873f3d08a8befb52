"""Find the files that a path means, local or remote, and read them as one frame."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fsspec
import pandas as pd
from tqdm import tqdm

from ..environment import FROM_ENVIRONMENT, from_environment
from ..errors import UserError
from ..files import file_digest
from .formats import plain, read_format
from .provenance import Collection, Source, quoted, without_secrets


def read_tables(path: str, root: Path, missing: Sequence[str] = ()) -> Collection:
    """Read a file, all files that match a pattern, or a URL of any kind that fsspec knows."""
    frames, sources = [], []
    with local_copies(path, root) as files:
        for name, file in files:
            frame, note = read_format(file, name, missing)
            frames.append(frame)
            sources.append(Source(name, file_digest(file), len(frame), note))
    if len(frames) == 1:
        return Collection(frames[0], sources)
    first = list(frames[0].columns)
    for source, frame in zip(sources, frames, strict=True):
        _check_same(first, list(frame.columns), sources[0].name, source.name)
    return Collection(plain(pd.concat([f[first] for f in frames], ignore_index=True)), sources)


def is_url(path: str) -> bool:
    """Tell whether `path` is a URL, rather than a file on this machine."""
    return "://" in path or path.startswith(FROM_ENVIRONMENT)


def find_local(path: str, root: Path) -> list[Path]:
    """Return the file `path`, or the files that match it as a pattern, sorted by name."""
    full = root / Path(path).expanduser()
    if full.is_file():
        return [full]
    if full.is_dir():
        raise UserError(f'{path} is a folder; name a file in it, or a pattern: "{path}/*.csv".')
    anchor = Path(full.anchor)
    files = sorted(f for f in anchor.glob(str(full.relative_to(anchor))) if f.is_file())
    if not files:
        kind = "No file matches" if any(c in path for c in "*?[") else "There is no file"
        raise UserError(f"{kind} {path} (looked in {root}).")
    return files


def short_name(file: Path, root: Path) -> str:
    """Name a file from the project's folder on, so that a moved project is the same project."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


@contextmanager
def local_copies(path: str, root: Path) -> Iterator[Iterator[tuple[str, Path]]]:
    """Yield a name without secrets and a local path for each file; URLs are downloaded."""
    if not is_url(path):
        files = find_local(path, root)
        yield ((short_name(file, root), file) for file in files)
        return
    with TemporaryDirectory() as folder:
        yield _download(path, Path(folder))


def _download(path: str, folder: Path) -> Iterator[tuple[str, Path]]:
    url = from_environment(path, "[data] path")
    shown = without_secrets(path)
    try:
        remote = fsspec.open_files(url, "rb")
        for file in remote:
            base = without_secrets(f"://{file.path}").split("/")[-1]
            copy = folder / base
            name = shown if len(remote) == 1 else base
            _copy(file, copy, name)
            yield name, copy
            copy.unlink()
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - each file system raises its own
        reason = quoted(_reason(error).replace(url, shown))
        remedy = (
            "if it is your own organisation's, set SSL_CERT_FILE to the file of its authority"
            if "CERTIFICATE_VERIFY" in reason
            else "see to that, or correct the address"
        )
        raise UserError(f"{shown} cannot be read: {reason}; {remedy}.") from None
    if not remote:
        raise UserError(f"No file matches {shown}.")


def _copy(file: Any, target: Path, name: str) -> None:
    with file as source, target.open("wb") as copy:
        size = getattr(source, "size", None)
        bar = tqdm.wrapattr(source, "read", size, desc=name, disable=None, leave=False)
        with bar as stream:
            shutil.copyfileobj(stream, copy, 1 << 20)


def _reason(error: BaseException) -> str:
    """Say why a URL cannot be read; fsspec calls much of it a file that is not found."""
    while isinstance(error, FileNotFoundError) and error.__cause__:
        error = error.__cause__
    if isinstance(error, FileNotFoundError):
        return "there is nothing"
    if hasattr(error, "status"):
        return f"the server answers {error.status} {getattr(error, 'message', '')}".rstrip()
    return str(error).rstrip(".") or type(error).__name__


def _check_same(first: list[str], other: list[str], first_name: str, other_name: str) -> None:
    lacks = [f'"{name}"' for name in first if name not in other]
    more = [f'"{name}"' for name in other if name not in first]
    if lacks or more:
        differences = [f"lacks {', '.join(lacks)}"] * bool(lacks) + [
            f"has {', '.join(more)} beside"
        ] * bool(more)
        raise UserError(
            f"{other_name} has other columns than {first_name}: it {' and '.join(differences)}."
        )
