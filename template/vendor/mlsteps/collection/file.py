"""The source is a file, a pattern of files, or a URL, read whole or part by part."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from fsspec.callbacks import TqdmCallback

from ..environment import FROM_ENVIRONMENT, from_environment
from ..errors import UserError
from ..files import file_digest
from .arrow import DECIMAL, TEXT, WHOLE, bring, common_schema, plain_table
from .formats import read_file
from .stream import Source, Stream, digest, quoted, without_secrets

KEPT_BYTES = 1 << 26  # of rows that are not read a second time


class Part(NamedTuple):
    """Some rows: with the types that they were read with, and with those that training knows."""

    given: pa.Table
    table: pa.Table

    @property
    def frame(self) -> pd.DataFrame:
        """The rows for a model; whole numbers beside a missing one become fractions."""
        gaps = {f.name: DECIMAL for f in self.table.schema if f.type == WHOLE and f.nullable}
        fields = [f.with_type(gaps.get(f.name, f.type)) for f in self.table.schema]
        return bring(self.table, pa.schema(fields)).to_pandas(split_blocks=True)


class Parts:
    """The rows of files, part by part; a column has the same type in all of them.

    They are read once to infer the types, and then again unless they are few.
    """

    def __init__(
        self, files: Sequence[tuple[str, Path]], missing: Sequence[str], kept_bytes: float
    ) -> None:
        self._files, self._missing = files, missing
        self.sources: list[Source] = []
        self._kept: list[pa.Table] = []
        given, plain, gaps, size = [], [], set(), 0
        for name, file in files:
            rows: Counter[str] = Counter()
            for note, table in read_file(name, file, missing):
                simple = plain_table(table, missing)
                given.append(table.schema)
                plain.append(simple.schema)
                gaps.update(n for n in simple.column_names if simple[n].null_count)
                rows[note] += len(table)
                size += table.nbytes
                if size <= kept_bytes:
                    self._kept.append(table)
                else:
                    self._kept.clear()
            if not rows.total():
                raise UserError(f"{name} has no rows.")
            self.sources += [Source(name, file_digest(file), n, note) for note, n in rows.items()]
            _check_columns(plain[0].names, plain[-1].names, files[0][0], name)
        self.rows = sum(source.rows or 0 for source in self.sources)
        self.digest = " ".join(source.sha256 for source in self.sources)
        self._given = common_schema(given)
        self._plain = pa.schema([f.with_nullable(f.name in gaps) for f in common_schema(plain)])
        self._texts = [field.name for field in self._given if field.type == TEXT]
        parsed = [part.field(n).type for part in given for n in self._texts if n in part.names]
        if {WHOLE, DECIMAL} & set(parsed):
            self._kept.clear()  # such a column is to be read as the text that it is

    def __iter__(self) -> Iterator[Part]:
        """Read the rows in their order."""
        for table in self._kept or self._read_again():
            given = bring(table, self._given)
            plain = bring(plain_table(given, self._missing), self._plain)
            columns = [
                # What training takes as missing is missing in what was given as well.
                pc.if_else(pc.is_valid(two), one, pa.scalar(None, one.type))
                if one.null_count < two.null_count
                else one
                for one, two in zip(given.columns, plain.columns, strict=True)
            ]
            yield Part(pa.table(columns, schema=self._given), plain)

    def _read_again(self) -> Iterator[pa.Table]:
        for name, file in self._files:
            for _, table in read_file(name, file, self._missing, self._texts):
                yield table


@contextmanager
def open_parts(
    path: str, root: Path, missing: Sequence[str] = (), *, kept_bytes: float = KEPT_BYTES
) -> Iterator[Parts]:
    """Open a file, all files that match a pattern, or a URL of any kind that fsspec knows."""
    with TemporaryDirectory() as folder:
        if _is_url(path):
            files = _download(path, Path(folder))
        else:
            files = [(_short_name(file, root), file) for file in _find_local(path, root)]
        yield Parts(files, missing, kept_bytes)


def read_table(path: str, root: Path, missing: Sequence[str] = ()) -> tuple[pa.Table, list[Source]]:
    """Read what `open_parts` opens, whole, and return where it came from as well."""
    with open_parts(path, root, missing, kept_bytes=inf) as parts:
        return pa.concat_tables(part.table for part in parts), parts.sources


def open_stream(data: Any, root: Path, cache: Path) -> Stream:
    """Return the files that ``[data] path`` names, as a source."""
    stream = Stream(lambda _: read(), name=without_secrets(data.path))

    def read() -> Iterator[pa.Table]:
        with open_parts(data.path, root, data.missing) as parts:
            stream.sources.extend(parts.sources)
            for part in parts:
                yield part.table

    return stream


def fingerprint(data: Any, root: Path) -> str | None:
    """Return a digest that changes when the files do; None if only fetching them would tell."""
    if not data.path or _is_url(data.path):
        return None
    return digest([(_short_name(f, root), file_digest(f)) for f in _find_local(data.path, root)])


def _is_url(path: str) -> bool:
    return "://" in path or path.startswith(FROM_ENVIRONMENT)


def _find_local(path: str, root: Path) -> list[Path]:
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


def _short_name(file: Path, root: Path) -> str:
    """Name a file from the project's folder on, so that a moved project is the same project."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


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
        remedy = "see to that, or correct the address"
        if "CERTIFICATE_VERIFY" in reason:
            remedy = "if it is your own organisation's, set SSL_CERT_FILE to its authority's file"
        raise UserError(f"{shown} cannot be read: {reason}; {remedy}.") from None
    if not copies:
        raise UserError(f"No file matches {shown}.")
    return copies


def _check_columns(first: list[str], names: list[str], first_name: str, name: str) -> None:
    lacks = ", ".join(f'"{column}"' for column in first if column not in names) or "none"
    more = ", ".join(f'"{column}"' for column in names if column not in first) or "none"
    if lacks != more:
        raise UserError(
            f"{name} has other columns than {first_name}: it lacks {lacks} and has {more} beside."
        )
