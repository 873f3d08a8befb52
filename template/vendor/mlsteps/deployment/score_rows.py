"""Score a file of any size: part by part, so that it can be killed and go on where it was."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid5

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from ..collection.parts import Part, Parts, open_parts
from ..errors import UserError
from ..files import release_memory
from ..modeling import store
from ..modeling.predictor import LoadPredictor, Predictor
from ..problem.columns import ConversionError
from ..problem.columns import MOST_CATEGORIES, labels
from ..problem.project import Project
from .prediction_log import (
    PREDICTIONS,
    SHADOW,
    log_engine,
    prediction_rows,
    shadow_rows,
    write_once,
)
from .score_kept import WRITERS, Kept, Logged, Run, keep
from .score_target import ID, LOGGED_BEFORE, NO_ANSWER, check_target, run_id


def score_file(
    project: Project, source: str, target: Path, load_predictor: LoadPredictor
) -> str:
    """Write the rows of `source`, in their order, with the champion's answers beside them.

    Finished parts are kept in a folder beside `target` until all are there and in the prediction
    log. A run that was killed takes them up if data, champion, settings and code are the same.

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
        If there is no champion, the file cannot be read, its columns do not fit the model, another
        process is making the same file, or the prediction log does not answer.
    """
    check_target(target, WRITERS)
    scorer = Scorer(project, source, load_predictor)
    with (
        open_parts(source, Path.cwd(), project.definition.data.missing) as parts,
        keep(target, run_id(project, parts.digest, scorer.version)) as kept,
    ):
        resumed = kept.rows
        for part in _progress(parts, kept):
            kept.add(*_score(scorer, part, kept))  # nothing of it stays in memory
        kept.write()
        strange = scorer.strange(kept)
        scorer.log(kept)  # only what there will be a file of
        kept.finish()
    taken_up = f", {resumed:,} of them by a run before" if resumed else ""
    made = f"{parts.rows:,} rows scored by {scorer.version} into {target}{taken_up}"
    return f"{made}{strange}{scorer.trouble}"


class Scorer:
    """Scores parts, and remembers them in the prediction log if ``[serving] log_files`` is true.

    Attributes
    ----------
    version
        The champion's.
    trouble
        What is wrong with the challenger, if anything: the file is the champion's.
    """

    def __init__(self, project: Project, source: str, load_predictor: LoadPredictor) -> None:
        self._load_predictor = load_predictor
        self._predictor = load_predictor(store.champion_folder(project.models))
        challenger = store.challenger(project.models)
        self._challenger = project.models / challenger if challenger else None
        self._beside: Predictor | None = None
        self.trouble = ""
        self._log = log_engine(project) if project.definition.serving.log_files else None
        self._source = source
        self.version = self._predictor.version

    def score(self, part: Part, before: int, run: Run) -> tuple[pa.Table, Logged]:
        """Return rows as given with their answers, and what the prediction log is to have of them.

        Parameters
        ----------
        before
            The number of rows in the parts before this one.

        Raises
        ------
        UserError
            If a value does not fit its column.
        """
        rows = part.frame
        predictions = self._predict(self._predictor, rows, before)
        logged: Logged = {}
        if self._log is not None:
            ids = [uuid5(run.id, str(before + k)).hex for k in range(len(rows))]
            logged = self._to_log(rows, predictions, ids, before, run.started)
            predictions.insert(0, ID, ids)
        # Answers win over columns of the same name: a file that was scored before is scored anew.
        table = part.given.select([n for n in part.given.column_names if n not in predictions])
        for name, values in predictions.items():
            table = table.append_column(name, pa.array(values))
        return table, logged

    def log(self, kept: Kept) -> None:
        """Write what was asked and answered to the prediction log, once however often it is tried.

        Raises
        ------
        UserError
            If the prediction log does not answer.
        """
        if self._log is None:
            return
        parts = tqdm(kept.logged(), "log", len(kept), unit=" parts", disable=None, leave=False)
        added = [write_once(self._log, part) for part in parts]
        if not any(added):
            self.trouble += LOGGED_BEFORE

    def strange(self, kept: Kept) -> str:
        """Say what the model could make nothing of: inputs that are not there, new labels."""
        inputs, given = self._predictor.schema.inputs, kept.columns
        absent = [f'"{column.name}"' for column in inputs if column.name not in given]
        categories = {
            column.name: column.categories
            for column in inputs
            if column.kind == "category"
            and column.name in given
            and len(column.categories) < MOST_CATEGORIES  # else not all of them are remembered
        }
        new: Counter[str] = Counter()
        for frame in kept.frames(list(categories)):
            for name, known in categories.items():
                new[name] += int((~labels(frame[name].dropna()).isin(known)).sum())
        counts = [f'"{name}" in {n:,} row{"s" * (n > 1)}' for name, n in new.items() if n]
        said = f"; taken as missing in every row: {', '.join(absent)}" if absent else ""
        return said + (f"; labels that training never saw: {', '.join(counts)}" if counts else "")

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

    def _to_log(
        self, rows: pd.DataFrame, predictions: pd.DataFrame, ids: list[str], before: int, at: datetime
    ) -> Logged:
        """Return what was asked and answered as the service logs it."""
        asked = _records(rows.filter([column.name for column in self._predictor.schema.inputs]))
        return {
            PREDICTIONS: prediction_rows(self.version, asked, _by_id(ids, predictions), at),
            SHADOW: self._shadow(rows, ids, before),
        }

    def _shadow(self, rows: pd.DataFrame, ids: list[str], before: int) -> list[dict[str, Any]]:
        """Return what the challenger answers to the same rows, if there is one and it can."""
        if self._challenger is None:
            return []
        try:
            self._beside = self._beside or self._load_predictor(self._challenger)
            predictions = self._predict(self._beside, rows, before)
        except UserError as error:
            self.trouble = f"{NO_ANSWER}{error.message}"
            return []
        return shadow_rows(self._beside.version, _by_id(ids, predictions))


def _progress(parts: Parts, kept: Kept) -> Iterator[Part]:
    """Yield the parts that are not finished yet, and show how far it is."""
    with tqdm(total=parts.rows, initial=kept.rows, unit=" rows", disable=None, leave=False) as bar:
        for number, part in enumerate(parts.parts):
            if number >= len(kept):
                yield part
                bar.update(len(part.frame))
            release_memory()


def _score(scorer: Scorer, part: Part, kept: Kept) -> tuple[pa.Table, Logged]:
    try:
        return scorer.score(part, kept.rows, kept.run)
    except UserError:
        kept.remove()  # what is to be corrected changes the data
        raise


def _by_id(ids: list[str], predictions: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return dict(zip(ids, _records(predictions), strict=True))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them: missing is None, a date is text."""
    plain = frame.astype(object).where(frame.notna(), None)
    for name in frame.select_dtypes("datetime"):
        plain[name] = frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S").where(frame[name].notna(), None)
    return plain.to_dict("records")
