"""The finished parts of a scoring, kept until they are the file: a run that is killed goes on."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from pyarrow import parquet
from pydantic_core import to_json

from ..collection.formats import to_frame
from ..errors import UserError
from ..files import read_json, release_memory, replacing, write_json
from ..steps import LOCK, lock
from .prediction_log import PREDICTIONS, SHADOW
from .score_target import writing

RUN = "run.json"
Logged = Mapping[sa.Table, list[dict[str, Any]]]  # rows of the tables of the prediction log


@dataclass(frozen=True)
class Run:
    """The scoring of one file, however often it was killed on the way.

    Attributes
    ----------
    id
        From `run_id`.
    started
        The time (UTC) of all of its predictions.
    """

    id: UUID
    started: datetime


@contextmanager
def keep(target: Path, run: UUID) -> Iterator["Kept"]:
    """Take up the finished parts of a run, or begin it; nobody else may meanwhile.

    Raises
    ------
    UserError
        If another process is making the same file.
    """
    whole = target.absolute()
    folder = whole.parent / f".{whole.name}.parts"
    with ExitStack() as held:
        with writing(target):
            held.enter_context(lock(folder, target))
            kept = Kept(target, folder, run)
        yield kept


class Kept:
    """The finished parts of a run, in a folder beside the file that they become.

    Attributes
    ----------
    run
        That they belong to.
    rows
        How many the finished parts have.
    """

    def __init__(self, target: Path, folder: Path, run: UUID) -> None:
        self._target = target
        self._folder = folder
        record = self._read()
        if record.get("run") != str(run):
            self._clear()
            record = {"run": str(run), "started": datetime.now(UTC).isoformat()}
            write_json(self._folder / RUN, record)
        self.run = Run(run, datetime.fromisoformat(record["started"]).replace(tzinfo=None))
        self._files = sorted(self._folder.glob("*.parquet"))
        self.rows = sum(parquet.read_metadata(file).num_rows for file in self._files)

    def __len__(self) -> int:
        """Return the number of finished parts."""
        return len(self._files)

    def add(self, part: pa.Table, logged: Logged) -> None:
        """Keep a finished part, and what the prediction log is to have of it."""
        file = self._folder / f"{len(self):06}.parquet"
        with writing(self._target):
            for table, new in logged.items():
                parquet.write_table(pa.Table.from_pylist(new), file.with_suffix(f".{table.name}"))
            with replacing(file) as temporary:
                parquet.write_table(part, temporary)
        self._files.append(file)
        self.rows += len(part)

    @property
    def columns(self) -> list[str]:
        """The names of the columns that the file will have."""
        return list(parquet.read_schema(self._files[0]).names)

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        """Yield some columns of each part, as the model is given them."""
        for file in self._files:
            yield to_frame(parquet.read_table(file, columns=columns))

    def logged(self) -> Iterator[Logged]:
        """Yield what the prediction log is to have of each part."""
        for file in self._files:
            paths = {table: file.with_suffix(f".{table.name}") for table in (PREDICTIONS, SHADOW)}
            yield {
                table: parquet.read_table(path).to_pylist()
                for table, path in paths.items()
                if path.exists()
            }
            release_memory()

    @property
    def _whole(self) -> Path:
        return self._folder / f"whole{self._target.suffix}.tmp"  # goes with the folder after a kill

    def write(self) -> None:
        """Write all parts as one file, which does not take its place yet."""
        with writing(self._target):
            self._whole.unlink(missing_ok=True)
            WRITERS[self._target.suffix](self._files, self._whole)

    def finish(self) -> None:
        """Put the file that was written in its place, and remove the folder."""
        with writing(self._target):
            self._whole.replace(self._target)
        self.remove()

    def remove(self) -> None:
        """Remove the folder."""
        self._clear()
        shutil.rmtree(self._folder)

    def _clear(self) -> None:
        """Remove all but the lock, which is held."""
        (self._folder / RUN).unlink(missing_ok=True)  # first: what a kill leaves is of no run
        for file in self._folder.iterdir():
            if file.name != LOCK:
                file.unlink()

    def _read(self) -> dict[str, Any]:
        try:
            return dict(read_json(self._folder / RUN))
        except UserError:  # there was no run, or it was killed as it began
            return {}


def _write_parquet(files: list[Path], target: Path) -> None:
    with parquet.ParquetWriter(target, parquet.read_schema(files[0])) as writer:
        for file in files:
            writer.write_table(parquet.read_table(file))


def _write_csv(files: list[Path], target: Path) -> None:
    for number, file in enumerate(files):
        _read(file).to_csv(target, index=False, mode="a", header=number == 0)


def _write_lines(files: list[Path], target: Path) -> None:
    with target.open("wb") as stream:
        for file in files:
            for row in parquet.read_table(file).to_pylist():
                stream.write(to_json(row, inf_nan_mode="null") + b"\n")


def _read(file: Path) -> pd.DataFrame:
    """Read rows as they are to be written: a whole number stays one beside a missing one."""
    return parquet.read_table(file).to_pandas(ignore_metadata=True, integer_object_nulls=True)


WRITERS: dict[str, Callable[[list[Path], Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".jsonl": _write_lines,
}
