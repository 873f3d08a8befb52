"""The source is a file, a folder or pattern of files, or a URL, read whole or part by part."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from fsspec.callbacks import TqdmCallback
from pyarrow import feather

from ..environment import FROM_ENVIRONMENT, from_environment
from ..errors import UserError
from ..files import file_digest
from ..problem.sources import Data
from .arrow import DECIMAL, WHOLE, bring, common_schema, plain_table
from .formats import READERS, read_file
from .stream import Source, Stream, digest, quoted, without_secrets

HIDDEN = (".", "_")  # so begin marks of other programs, as Spark's _SUCCESS
PLAIN = Data(source="file")  # a file with nothing said of it


class Parts(NamedTuple):
    """Rows part by part, their number, a digest of their files, and the files.

    Each part is the rows with the types that they were read with, and as a model is given them.
    """

    parts: Iterator[tuple[pa.Table, pd.DataFrame]]
    rows: int
    digest: str
    sources: list[Source]


def open_stream(data: Data, root: Path, cache: Path) -> Stream:
    """Return the files that ``[data] path`` names, as a source."""
    stream = Stream(lambda _: read(), name=without_secrets(data.path))

    def read() -> Iterator[pa.Table]:
        for table in _read(data.path, root, data, stream.sources):
            yield plain_table(table, data.missing)

    return stream


def fingerprint(data: Data, root: Path) -> str | None:
    """Return a digest that changes when the files do; None if only fetching them would tell."""
    if not data.path or _is_url(data.path):
        return None
    return digest([(name, file_digest(file)) for name, file in _find(data.path, root)])


def read_table(path: str, root: Path, data: Data = PLAIN) -> tuple[pa.Table, list[Source]]:
    """Read a file, all files of a folder or a pattern, or a URL of any kind that fsspec knows."""
    sources: list[Source] = []
    tables = [plain_table(table, data.missing) for table in _read(path, root, data, sources)]
    schema = common_schema(table.schema for table in tables)
    return pa.concat_tables(bring(table, schema) for table in tables), sources


@contextmanager
def open_parts(path: str, root: Path, data: Data = PLAIN) -> Iterator[Parts]:
    """Read what `read_table` reads part by part; a column has the same type in all of them.

    The parts are on disk until all types are known, so that memory holds one at a time.
    """
    sources: list[Source] = []
    given: list[pa.Schema] = []
    plain: list[pa.Schema] = []
    gaps: set[str] = set()
    with TemporaryDirectory() as folder:
        for table in _read(path, root, data, sources):
            feather.write_feather(table, f"{folder}/{len(given)}")
            simple = plain_table(table, data.missing)
            gaps.update(n for n in simple.column_names if simple[n].null_count)
            given.append(table.schema)
            plain.append(simple.schema)
        # A whole number beside a missing one becomes a fraction, as it does in training.
        fields = [
            field.with_type(DECIMAL) if field.type == WHOLE and field.name in gaps else field
            for field in common_schema(plain)
        ]
        files = [f"{folder}/{number}" for number in range(len(given))]
        parts = _parts(files, common_schema(given), pa.schema(fields), data.missing)
        rows = sum(source.rows or 0 for source in sources)
        yield Parts(parts, rows, " ".join(source.sha256 for source in sources), sources)


def _parts(
    files: Iterable[str], schema: pa.Schema, plain_schema: pa.Schema, missing: Sequence[str]
) -> Iterator[tuple[pa.Table, pd.DataFrame]]:
    for file in files:
        given = bring(feather.read_table(file, memory_map=False), schema)
        plain = bring(plain_table(given, missing), plain_schema)
        for place, field in enumerate(schema):
            if plain[place].null_count > given[place].null_count:  # missing in the output as well
                null = pa.scalar(None, field.type)
                kept = pc.if_else(pc.is_valid(plain[place]), given[place], null)
                given = given.set_column(place, field, kept)
        yield given, plain.to_pandas(split_blocks=True)


def _read(path: str, root: Path, data: Data, sources: list[Source]) -> Iterator[pa.Table]:
    """Yield the rows of all files as they were read, and append each file to `sources`."""
    read: list[tuple[str, set[str]]] = []
    with TemporaryDirectory() as folder:
        files = _download(path, Path(folder)) if _is_url(path) else _find(path, root)
        for name, file in files:
            columns: set[str] = set()
            for table in read_file(name, file, data, sources):
                columns |= set(table.column_names)
                yield table
            read.append((name, columns))
            _check_same(*read[0], name, columns)


def _check_same(first: str, columns: set[str], name: str, others: set[str]) -> None:
    lacks = ", ".join(f'"{column}"' for column in sorted(columns - others)) or "none"
    more = ", ".join(f'"{column}"' for column in sorted(others - columns)) or "none"
    if columns != others:
        raise UserError(
            f"{name} has other columns than {first}: it lacks {lacks} and has {more} beside."
        )


def _is_url(path: str) -> bool:
    return "://" in path or path.startswith(FROM_ENVIRONMENT)


def files_in(folder: Path, shown: str, kinds: Iterable[str]) -> list[Path]:
    """Return the files of a folder, all of one kind, sorted; `shown` is its name."""
    found = sorted(path for path in folder.iterdir() if not path.name.startswith(HIDDEN))
    if not found:
        raise UserError(f"{shown} has no files; put {', '.join(kinds)} files into it.")
    for path in found:
        if path.is_dir():
            raise UserError(f'{shown} has the folder "{path.name}" in it; name one without any.')
        if path.suffix != found[0].suffix:
            raise UserError(
                f"{shown} has files of several kinds, {found[0].name} and {path.name}; name a "
                "folder of files of one kind."
            )
    return found


def _find(path: str, root: Path) -> list[tuple[str, Path]]:
    """Return the names and paths of the file `path`, or of those in or that match it, sorted."""
    full = root / Path(path).expanduser()
    if full.is_dir():
        files = files_in(full, path, READERS)
    elif full.is_file():
        files = [full]
    else:
        anchor = Path(full.anchor)
        matching = anchor.glob(str(full.relative_to(anchor)))
        files = sorted(file for file in matching if file.is_file())
    if not files:
        kind = "No file matches" if any(c in path for c in "*?[") else "There is no file"
        raise UserError(f"{kind} {path} (looked in {root}).")
    # From the project's folder on, so that a moved project is the same project.
    return [
        (f.relative_to(root).as_posix() if f.is_relative_to(root) else str(f), f) for f in files
    ]


def _download(path: str, folder: Path) -> list[tuple[str, Path]]:
    """Copy the files of a URL, and return their names, without secrets, and the copies."""
    url, shown = from_environment(path, "[data] path"), without_secrets(path)
    copies = []
    try:
        remote = fsspec.open_files(url, "rb")
        for number, file in enumerate(remote):
            name = without_secrets(f"://{file.path}").split("/")[-1]
            copy = folder / f"{number}-{name}"
            bar = TqdmCallback(tqdm_kwargs={"desc": name, "disable": None, "leave": False})
            file.fs.get_file(file.path, str(copy), callback=bar)
            copies.append((shown if len(remote) == 1 else name, copy))
    except Exception as error:  # noqa: BLE001 - each file system raises its own
        reason = "there is nothing" if isinstance(error, FileNotFoundError) else str(error)
        reason = quoted(reason.replace(url, shown)).rstrip(".") or type(error).__name__
        raise UserError(
            f"{shown} cannot be read: {reason}; see to that, or correct the address."
        ) from None
    if not copies:
        raise UserError(f"No file matches {shown}.")
    return copies
