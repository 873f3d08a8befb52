"""Score a file of any size: part by part, so that it can be killed and go on where it was."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from pyarrow import parquet
from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from ...collection.parts import Part, Parts, open_parts
from ...errors import UserError
from ...files import read_json, release_memory, replacing, write_json
from ...modeling import store
from ...modeling.predictor import Predictor, load_predictor
from ...preparation.schema import ConversionError
from ...problem.project import Project
from ..prediction_log import (
    PREDICTIONS,
    SHADOW,
    TABLES,
    find_predictions,
    open_log,
    prediction_rows,
    shadow_rows,
    why,
    write_rows,
)
from .target import ID, NO_ANSWER, check_target

RUN = "run.json"


def score_file(project: Project, source: str, target: Path) -> str:
    """Write the rows of `source`, in their order, with the champion's answers beside them.

    Finished parts are kept in a folder beside `target` until all are there. A run that was killed
    takes them up if data and champion are still the same.

    Parameters
    ----------
    source
        Any file that `collect` can read, relative to the working directory, or a URL.
    target
        A new file, .csv, .parquet or .jsonl; it appears whole or not at all.

    Returns
    -------
    str
        What was done, in a line.

    Raises
    ------
    UserError
        If there is no champion, the file cannot be read, its columns do not fit the model, or the
        prediction log does not answer.
    """
    check_target(target, WRITERS)
    scorer = Scorer(project, source)
    with open_parts(source, Path.cwd(), project.definition.data.missing) as parts:
        kept = Kept(target, {"data": parts.digest, "version": scorer.version})
        resumed = kept.rows
        try:
            for part in _progress(parts, kept):
                kept.add(scorer.score(part, kept.rows, kept.run))
        except UserError:
            kept.remove()  # what is to be corrected changes the data
            raise
        kept.finish()
    taken_up = f", {resumed:,} of them by a run before" if resumed else ""
    return f"{parts.rows:,} rows scored by {scorer.version} into {target}{taken_up}{scorer.trouble}"


@dataclass(frozen=True)
class Run:
    """The scoring of one file, however often it was killed on the way.

    Attributes
    ----------
    id
        A part that is scored again gets the same ids of predictions by it.
    started
        The time (UTC) of all of its predictions.
    """

    id: UUID
    started: datetime


class Scorer:
    """Scores parts, and remembers them in the prediction log if ``[serving] log_files`` is true.

    Attributes
    ----------
    version
        The champion's.
    trouble
        What is wrong with the challenger, if anything: the file is the champion's.
    """

    def __init__(self, project: Project, source: str) -> None:
        self._predictor = load_predictor(store.champion_folder(project.models))
        challenger = store.challenger(project.models)
        self._challenger = project.models / challenger if challenger else None
        self._beside: Predictor | None = None
        self.trouble = ""
        self._log = open_log(project) if project.definition.serving.log_files else None
        self._source = source
        self.version = self._predictor.version

    def score(self, part: Part, before: int, run: Run) -> pa.Table:
        """Return rows as given with their answers; `before` is the number of rows before them.

        Raises
        ------
        UserError
            If a value does not fit its column, or the prediction log does not answer.
        """
        rows = part.frame
        answers = self._predict(self._predictor, rows, before)
        if self._log is not None:
            ids = [uuid5(run.id, str(before + k)).hex for k in range(len(rows))]
            self._remember(self._log, rows, answers, ids, before, run.started)
            answers.insert(0, ID, ids)
        # Answers win over columns of the same name: a file that was scored before is scored anew.
        table = part.given.select([n for n in part.given.column_names if n not in answers])
        for name, values in answers.items():
            table = table.append_column(name, pa.array(values))
        return table

    def _predict(self, predictor: Predictor, rows: pd.DataFrame, before: int) -> pd.DataFrame:
        try:
            return predictor.predict(rows)
        except ConversionError as error:
            raise UserError(
                f'{self._source}: the column "{error.name}" has {error.value!r} in row '
                f"{before + error.rows[0] + 1:,}, but must be {error.expected}; correct it and "
                "score again."
            ) from None
        except UserError as error:
            raise UserError(f"{self._source}: {error.message}") from None

    def _remember(
        self,
        log: sa.Engine,
        rows: pd.DataFrame,
        answers: pd.DataFrame,
        ids: list[str],
        before: int,
        at: datetime,
    ) -> None:
        """Write what was asked and answered to the log, as the service does, once."""
        asked = _records(rows.filter([column.name for column in self._predictor.schema.inputs]))
        new = {
            PREDICTIONS: prediction_rows(self.version, asked, _by_id(ids, answers), at),
            SHADOW: self._shadow(rows, ids, before),
        }
        try:
            TABLES.create_all(log)
            if find_predictions(log, ids[:1]).empty:  # killed between the log and the part
                write_rows(log, new)
        except SQLAlchemyError as error:
            raise UserError(
                f"The prediction log does not answer ({why(error)}); score again later."
            ) from None

    def _shadow(self, rows: pd.DataFrame, ids: list[str], before: int) -> list[dict[str, Any]]:
        """Return what the challenger answers to the same rows, if there is one and it can."""
        if self._challenger is None:
            return []
        try:
            self._beside = self._beside or load_predictor(self._challenger)
            answers = self._predict(self._beside, rows, before)
        except UserError as error:
            self.trouble = f"{NO_ANSWER}{error.message}"
            return []
        return shadow_rows(self._beside.version, _by_id(ids, answers))


class Kept:
    """The finished parts of a run, in a folder beside the file that they become.

    Attributes
    ----------
    run
        That they belong to.
    rows
        How many the finished parts have.
    """

    def __init__(self, target: Path, made_from: dict[str, str]) -> None:
        self._target = target.absolute()
        self._folder = self._target.parent / f".{target.name}.parts"
        record = self._read()
        if {key: record.get(key) for key in made_from} != made_from:
            self.remove()
            record = {**made_from, "run": str(uuid4()), "started": datetime.now(UTC).isoformat()}
            write_json(self._folder / RUN, record)
        started = datetime.fromisoformat(record["started"]).replace(tzinfo=None)
        self.run = Run(UUID(record["run"]), started)
        self._files = sorted(self._folder.glob("*.parquet"))
        self.rows = sum(parquet.read_metadata(file).num_rows for file in self._files)

    def __len__(self) -> int:
        """Return the number of finished parts."""
        return len(self._files)

    def add(self, part: pa.Table) -> None:
        """Keep a finished part."""
        file = self._folder / f"{len(self):06}.parquet"
        with replacing(file) as temporary:
            parquet.write_table(part, temporary)
        self._files.append(file)
        self.rows += len(part)

    def finish(self) -> None:
        """Make the file of all parts, whole, and remove the folder."""
        with replacing(self._target) as temporary:
            WRITERS[self._target.suffix](self._files, temporary)
        self.remove()

    def remove(self) -> None:
        """Remove the folder."""
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(read_json(self._folder / RUN))
        except UserError:  # there was no run, or it was killed as it began
            return {}


def _progress(parts: Parts, kept: Kept) -> Iterator[Part]:
    """Yield the parts that are not finished yet, and show how far it is."""
    with tqdm(total=parts.rows, initial=kept.rows, unit=" rows", disable=None, leave=False) as bar:
        for number, part in enumerate(parts.parts):
            if number >= len(kept):
                yield part
                bar.update(len(part.frame))
            release_memory()


def _by_id(ids: list[str], answers: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return dict(zip(ids, _records(answers), strict=True))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them: missing is None, a date is text."""
    plain = frame.astype(object).where(frame.notna(), None)
    for name in frame.select_dtypes("datetime"):
        plain[name] = frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S").where(frame[name].notna(), None)
    return plain.to_dict("records")


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
