"""Files that appear whole or not at all, and the digests that tell whether they changed."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .errors import UserError, first_line

if TYPE_CHECKING:  # pandas takes half a second to load, and not every command needs it
    import pandas as pd

PRIVATE = 0o600  # what holds rows, only its owner can read
PART_ROWS = 20_000  # of a table, written and read at a time


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block succeeds.

    Works for a file, which may be `private`, and, where `path` does not exist yet, for a folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid4().hex[:8]}.tmp"
    try:
        if private:
            temporary.touch(PRIVATE)
        yield temporary
        temporary.replace(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Delete what `replacing` has left anywhere in a folder, where a process was killed."""
    for left in list(folder.rglob(".*.tmp")):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def version_age(version: str) -> tuple[str, int, str]:
    """Return what the names of versions are sorted by, the oldest first: _10 is newer than _9."""
    head, _, count = version.partition("_")
    return head, len(count), count


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def read_frame(
    path: Path, columns: list[str] | None = None, *, without: list[str] | None = None
) -> "pd.DataFrame":
    """Read a Parquet file, all columns of it or some, without holding it in memory twice."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    converting = {"split_blocks": True, "self_destruct": True}
    try:
        if without is not None:
            columns = [n for n in parquet.read_schema(path).names if n not in without]
        frame = pd.read_parquet(path, columns=columns, to_pandas_kwargs=converting)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from None
    release_memory()
    return frame


def read_parts(path: Path, columns: list[str]) -> "Iterator[pd.DataFrame]":
    """Read some columns of a Parquet file part by part as it was written, without their labels."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            # One by one: iter_batches keeps the bytes of all parts that it has read.
            for k in range(file.num_row_groups):
                yield file.read_row_group(k, columns).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from None
    release_memory()


def unreadable(path: Path, error: Exception) -> UserError:
    """Return the error for a file of the project that is missing or damaged."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path} does not exist; `run` makes it.")
    reason = first_line(error)
    return UserError(f"{path} is damaged ({reason}); delete it, and `run` makes it again.")


def release_memory() -> None:
    """Give back the memory that Arrow keeps for its next table."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    now = path.stat()
    return _digest(path, now.st_ino, now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=1024)
def _digest(path: Path, *_: int) -> str:
    """Read each state of a file once: what one step has written, the next asks for again."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    """Turn numpy's numbers and arrays into Python's, for `json`."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
