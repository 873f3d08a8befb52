"""Score a file with the champion: part by part, into a file that appears whole or not at all."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from ..modeling.predictor import LoadPredictor, Predictor
from ..problem.columns import ConversionError
from ..problem.project import Project
from .prediction_log import (
    PREDICTIONS,
    Rows,
    open_log,
    prediction_rows,
    records,
    shadow_rows,
    write_rows,
)
from .score_rows import RowScorer, ScoredPart

ID = "prediction_id"  # the column that feedback is joined by
EXPLANATION = "explanation"  # the column that says why
FORMULA = r"(?s)^([=@\t\r]|[+-].*[A-Za-z(!|=])"  # to a spreadsheet; -3,5 is a number


def score_file(
    project: Project,
    source: str,
    target: Path,
    load_predictor: LoadPredictor,
    *,
    explain: bool = False,
) -> str:
    """Write the rows of a file, in their order, with the champion's predictions.

    For series it writes a row for each series and date. Rows that have the target are history,
    newer than what the model knows; rows that lack it say which dates to forecast, and what is
    known of them ahead of time. Without such rows every series of the file is forecast as far as
    the model can.

    Predictions go to the log as well if ``[serving] log_files`` is true, once there is a file of
    them. The same file, scored by the same version, is logged once however often.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    source : str
        Any file that `collect` can read, relative to the working directory, or a URL.
    target : Path
        A new file, .csv, .parquet or .jsonl; it appears whole or not at all.
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
    if target.suffix not in WRITERS:
        raise UserError(
            f'The file to write, {target}, ends in "{target.suffix}"; '
            f"allowed: {', '.join(WRITERS)}."
        )
    if explain and project.definition.problem.of_series:
        raise UserError(NO_SERIES)
    champion: Any = load_predictor(store.champion_folder(project.models))
    data = project.definition.with_decimal(champion.schema.decimal).data
    with (
        open_parts(source, Path.cwd(), data) as parts,
        _temporary_folder(target) as folder,
    ):
        options = {"explain": True} if explain else {}
        scorer = _scorer(project)(champion, source, parts, **options)
        log, note = _Log(project, champion.version, parts.digest, folder, load_predictor), ""
        logs = project.definition.serving.log_files
        scored = ((part, log.keep(part, scorer) if logs else None) for part in scorer.parts())
        tables: Iterator[pa.Table] = (_table(part, ids) for part, ids in scored)
        if project.definition.serving.escape_formulas and target.suffix == ".csv":
            tables = map(_escaped, tables)
        WRITERS[target.suffix](tables, folder / "whole", parts.sources[0])
        if logs:
            note = log.write()
        (folder / "whole").replace(target)
    return "\n".join([f"{scorer.summary(target)}{note}", *left_out(parts.sources)])


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


class _Log:
    """What the prediction log is to have of a file, on disk until there is a file of it."""

    def __init__(
        self,
        project: Project,
        version: str,
        digest: str,
        folder: Path,
        load_predictor: LoadPredictor,
    ) -> None:
        self._project, self._version = project, version
        self._run = uuid5(NAMESPACE_OID, f"{digest} {version}")
        self._folder, self._load_predictor = folder, load_predictor
        self._at = datetime.now(UTC).replace(tzinfo=None)
        self._files: list[Path] = []  # of each part
        self._rows = 0
        self._shadow: Predictor | None = None
        self._note = ""

    def keep(self, part: ScoredPart, scorer: Any) -> list[str]:
        """Keep a part until all are scored, and return the ids of its predictions."""
        ids = [uuid5(self._run, str(self._rows + k)).hex for k in range(len(part.predictions))]
        predictions = dict(zip(ids, records(part.predictions), strict=True))
        rows = prediction_rows(self._version, records(part.inputs), predictions, self._at)
        self._files.append(self._folder / f"{len(self._files)}.log")
        shadow = self._shadow_rows(part, scorer, ids)
        parquet.write_table(pa.Table.from_pylist(rows + shadow), self._files[-1])
        self._rows += len(ids)
        return ids

    def write(self) -> str:
        """Write all parts to the log, unless it has them; return what there is to say of it."""
        added = False
        with open_log(self._project) as engine:
            for file in tqdm(self._files, "log", unit=" parts", disable=None, leave=False):
                rows = parquet.read_table(file).to_pylist()
                added |= write_rows(engine, {PREDICTIONS: rows}, once=True)
        return self._note + ("" if added else "; the prediction log had these rows already")

    def _shadow_rows(self, part: ScoredPart, scorer: Any, ids: list[str]) -> Rows:
        """Return what the challenger predicts of the same rows, if there is one and it can."""
        challenger = store.challenger(self._project.models)
        if challenger is None:
            return []
        try:
            self._shadow = self._shadow or self._load_predictor(self._project.models / challenger)
            found = scorer.shadow(self._shadow, part)
        except (UserError, ConversionError) as error:
            self._note = f"; the challenger in the shadow does not answer: {error}"
            return []
        named = zip([ids[k] for k in found.index], records(found), strict=True)
        return shadow_rows(challenger, dict(named))


@contextmanager
def _temporary_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside a file that is being made, from which it is put in its place."""
    folder = target.absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{target.name}.", dir=folder) as temporary:
            yield Path(temporary)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            f"{target} cannot be written: {reason}; make room, see to the rights or name another "
            "file, then try again."
        ) from None


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
