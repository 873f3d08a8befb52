"""Score a file with the champion: part by part, into a file that appears whole or not at all."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pydantic_core import to_json
from tqdm import tqdm

from ..collection.file import open_parts
from ..collection.stream import Source, left_out
from ..errors import UserError
from ..modeling import store
from ..modeling.explanation import NO_SERIES
from ..modeling.predictor import LoadPredictor
from ..problem.columns import ConversionError
from ..problem.project import Project
from ..report import counted
from .log_tables import PREDICTIONS
from .prediction_log import (
    Rows,
    open_log,
    prediction_rows,
    records,
    shadow_rows,
    write_rows,
)
from .score_rows import Found, RowScorer, ScoredPart

ID = "prediction_id"  # the column that feedback is joined by
EXPLANATION = "explanation"  # the column that says why
HAD_ROWS = "; the prediction log had these rows already"
NO_SHADOW = "; the challenger in the shadow does not answer: "
FORMULA = r"(?s)^([=@\t\r]|[+-].*[A-Za-z(!|=])"  # to a spreadsheet; -3,5 is a number


def score_file(
    project: Project,
    source: str,
    target: Path,
    load_predictor: LoadPredictor,
    *,
    explain: bool = False,
) -> str:
    """Write the rows of a file, or of each file of a folder, with the champion's predictions.

    Rows keep their order. For series it writes a row for each series and date. Rows that have the
    target are history, newer than what the model knows; rows that lack it say which dates to
    forecast, and what is known of them ahead of time. Without such rows every series of the file
    is forecast as far as the model can.

    Predictions go to the log as well if ``[serving] log_files`` is true, once there is a file of
    them. The same file, scored by the same version, is logged once however often.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    source : str
        Any file that `collect` can read, relative to the working directory, or a URL; or a folder
        of files of one kind, .csv, .parquet or .jsonl. With series, a file has whole ones.
    target : Path
        A new file, .csv, .parquet or .jsonl; it appears whole or not at all. Of a folder, a folder
        of files with the same names; those that are finished are not scored again.
    load_predictor : callable
        Returns the predictor of a version, from its folder.
    explain : bool
        Whether to add a column with what moved each prediction most; not for series.

    Returns
    -------
    str
        What was done, in a line.

    Raises
    ------
    UserError
        If there is no champion, the file cannot be read, its columns do not fit the model, the
        target cannot be written, or the prediction log does not answer.

    Examples
    --------
    >>> score_file(project, "new.csv", Path("scored.csv"), load_model)  # doctest: +SKIP
    '345 rows scored by 20261129-101500 into scored.csv'
    """
    if Path(source).expanduser().is_dir():
        from .score_folder import score_folder  # uses what is below

        folder = Path(source).expanduser()
        return score_folder(project, folder, target, load_predictor, explain=explain)
    check_suffix(target)
    scoring = open_scoring(project, load_predictor, explain=explain)
    with said_of(target), _temporary_folder(target) as folder:
        scored = scoring.score(source, target.suffix, folder)
        known = not write_log(project, scored.logs)
        scored.file.replace(target)
    note = scored.note + (HAD_ROWS if scored.logs and known else "")
    done = scored.found.sentence(scoring.champion.version, target)
    return "\n".join([f"{done}{note}", *left_out(scored.sources)])


def check_suffix(target: Path) -> None:
    """Refuse a file that cannot be written."""
    if target.suffix not in WRITERS:
        raise UserError(
            f'The file to write, {target}, ends in "{target.suffix}"; '
            f"allowed: {', '.join(WRITERS)}."
        )


@dataclass(frozen=True)
class Scored:
    """A file of predictions that is not in its place yet, and what there is to say of it."""

    file: Path
    logs: list[Path]  # what the prediction log is to have, a file for each part
    found: Found
    sources: list[Source]
    note: str


@dataclass(frozen=True)
class Scoring:
    """How a command scores: the same for each of its files, and on each machine."""

    project: Project
    champion: Any
    challenger: Any  # None if there is none, or it cannot be loaded
    note: str
    explain: bool
    at: datetime  # UTC

    def score(self, source: str, suffix: str, folder: Path) -> Scored:
        """Write the predictions for a file, and what is to be logged of them, into a folder."""
        definition, logs = self.project.definition, _Logs(self, folder)
        data = definition.with_decimal(self.champion.schema.decimal).data
        written = 0
        with open_parts(source, Path.cwd(), data) as parts:
            options = {"explain": True} if self.explain else {}
            scorer = _scorer(self.project)(self.champion, source, parts, **options)

            def tables() -> Iterator[pa.Table]:
                nonlocal written
                for part in scorer.parts():
                    ids = logs.keep(part, scorer, parts.digest)
                    table = _table(part, ids)
                    written += len(table)
                    escapes = definition.serving.escape_formulas and suffix == ".csv"
                    yield _escaped(table) if escapes else table

            WRITERS[suffix](tables(), folder / "whole", parts.sources[0])
            found = scorer.found()
        if written != found.rows:
            raise UserError(
                f"{source}: {written:,} of {counted(found.rows, 'row')} were written; score it "
                "again, and if it stays so, report it as a mistake of mlsteps."
            )
        note = logs.note or self.note
        return Scored(folder / "whole", logs.files, found, parts.sources, note)


def open_scoring(project: Project, load_predictor: LoadPredictor, *, explain: bool) -> Scoring:
    """Load the champion, and where files are logged the challenger in its shadow."""
    if explain and project.definition.problem.of_series:
        raise UserError(NO_SERIES)
    champion = load_predictor(store.champion_folder(project.models))
    challenger, note = None, ""
    version = store.challenger(project.models)
    if version and project.definition.serving.log_files:
        try:
            challenger = load_predictor(project.models / version)
        except UserError as error:
            note = f"{NO_SHADOW}{error}"
    at = datetime.now(UTC).replace(tzinfo=None)
    return Scoring(project, champion, challenger, note, explain, at)


def write_log(project: Project, files: Sequence[Path]) -> bool:
    """Write what is to be logged of a file, unless the log has it; return whether it had not."""
    added = False
    if files:
        with open_log(project) as engine:
            for file in tqdm(files, "log", unit=" parts", disable=None, leave=False):
                rows = parquet.read_table(file).to_pylist()
                added |= write_rows(engine, {PREDICTIONS: rows}, once=True)
    return added


def _scorer(project: Project) -> Callable[..., Any]:
    if not project.definition.problem.of_series:
        return RowScorer
    from .score_series import SeriesScorer  # needs statsmodels

    return SeriesScorer


def _table(part: ScoredPart, ids: list[str] | None) -> pa.Table:
    """Return rows as they were given with their predictions, as they are to be written."""
    columns: dict[str, Any] = {ID: ids} if ids else {}
    columns |= part.predictions.drop(columns=part.log_only).items()
    columns |= {EXPLANATION: part.explanations} if part.explanations else {}
    # Predictions win over columns of the same name: a scored file can be scored again.
    table = part.given.select([name for name in part.given.column_names if name not in columns])
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    return table


def _escaped(table: pa.Table) -> pa.Table:
    """Return a table in which ' stands before texts and names that a spreadsheet would compute."""
    texts = (pa.string(), pa.large_string())
    columns = (
        pc.replace_substring_regex(column, FORMULA, r"'\1") if column.type in texts else column
        for column in table.itercolumns()
    )
    return pa.table([*columns], [re.sub(FORMULA, r"'\1", name) for name in table.column_names])


class _Logs:
    """What the prediction log is to have of a file, on disk until there is a file of it."""

    def __init__(self, scoring: Scoring, folder: Path) -> None:
        self.files: list[Path] = []  # of each part
        self.note = ""
        self._scoring, self._folder = scoring, folder
        self._rows = 0

    def keep(self, part: ScoredPart, scorer: Any, digest: str) -> list[str] | None:
        """Keep a part until all are scored, and return the ids of its predictions."""
        scoring = self._scoring
        if not scoring.project.definition.serving.log_files:
            return None
        version = scoring.champion.version
        run = uuid5(NAMESPACE_OID, f"{digest} {version}")
        ids = [uuid5(run, str(self._rows + k)).hex for k in range(len(part.predictions))]
        predictions = dict(zip(ids, records(part.predictions), strict=True))
        rows = prediction_rows(version, records(part.inputs), predictions, scoring.at)
        self.files.append(self._folder / f"{len(self.files)}.log")
        shadow = self._shadow_rows(part, scorer, ids)
        parquet.write_table(pa.Table.from_pylist(rows + shadow), self.files[-1])
        self._rows += len(ids)
        return ids

    def _shadow_rows(self, part: ScoredPart, scorer: Any, ids: list[str]) -> Rows:
        """Return what the challenger predicts of the same rows, if there is one and it can."""
        challenger = self._scoring.challenger
        if challenger is None:
            return []
        try:
            found = scorer.shadow(challenger, part)
        except (UserError, ConversionError) as error:
            self.note = f"{NO_SHADOW}{error}"
            return []
        named = zip([ids[k] for k in found.index], records(found), strict=True)
        return shadow_rows(challenger.version, dict(named))


@contextmanager
def said_of(target: Path) -> Iterator[None]:
    """Say in a sentence that a file cannot be written."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            f"{target} cannot be written: {reason}; make room, see to the rights or name another "
            "file, then try again."
        ) from None


@contextmanager
def _temporary_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside a file that is being made, from which it is put in its place."""
    folder = target.absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}.", dir=folder) as temporary:
        yield Path(temporary)


def _write_parquet(tables: Iterator[pa.Table], target: Path, _: Source) -> None:
    first = next(tables)
    with parquet.ParquetWriter(target, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)


def _write_csv(tables: Iterator[pa.Table], target: Path, like: Source) -> None:
    """Write CSV as the file that was read, if that was one."""
    options = {"sep": like.delimiter or ",", "decimal": (like.delimiter and like.decimal) or "."}
    encoding = like.encoding or "utf-8"
    with target.open("w", encoding=encoding, newline="") as stream:
        for number, table in enumerate(tables):
            # A whole number stays one beside a missing one.
            frame = table.to_pandas(ignore_metadata=True, integer_object_nulls=True)
            try:
                frame.to_csv(stream, index=False, header=number == 0, **options)
            except UnicodeEncodeError as error:
                lacking = error.object[error.start]
                raise UserError(
                    f'{like.name} is written in {encoding}, which lacks "{lacking}" of the '
                    "predictions; save it as UTF-8 first."
                ) from None


def _write_lines(tables: Iterator[pa.Table], target: Path, _: Source) -> None:
    with target.open("wb") as stream:
        for table in tables:
            for row in table.to_pylist():
                stream.write(to_json(row, inf_nan_mode="null") + b"\n")


WRITERS: dict[str, Callable[[Iterator[pa.Table], Path, Source], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".jsonl": _write_lines,
}
