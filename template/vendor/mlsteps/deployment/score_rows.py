"""Score rows, each by itself."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from ..collection.file import Parts
from ..errors import UserError
from ..files import release_memory
from ..modeling.explanation import in_words
from ..modeling.predictor import RowPredictor
from ..problem.columns import MOST_CATEGORIES, ConversionError, labels
from ..report import counted


@dataclass(frozen=True)
class ScoredPart:
    """Some rows with their predictions; the index of each frame counts from 0."""

    given: pa.Table  # as they were read, for the file
    rows: pd.DataFrame  # as a model is given them
    inputs: pd.DataFrame  # what the log is to have of them
    predictions: pd.DataFrame
    log_only: list[str] = field(default_factory=list)  # of the predictions, not for the file
    explanations: list[str] = field(default_factory=list)  # of the predictions, for the file


@dataclass
class Found:
    """What there is to say of a file, or of several."""

    rows: int = 0  # that were to be written
    absent: dict[str, int] = field(default_factory=dict)  # in how many files an input is missing
    unseen: dict[str, int] = field(default_factory=dict)  # rows with labels that were never seen
    series: list[str] | None = None  # that were forecast; None where rows are scored

    @classmethod
    def sum(cls, files: "Iterable[Found]") -> "Found":
        """Return what there is to say of several files."""
        absent: Counter[str] = Counter()
        unseen: Counter[str] = Counter()
        rows, series = 0, None
        for file in files:
            rows += file.rows
            absent.update(file.absent)
            unseen.update(file.unseen)
            series = file.series if series is None else series + (file.series or [])
        return cls(rows, absent, unseen, series)

    def sentence(self, version: str, target: Path, files: int = 1, beside: str = "") -> str:
        """Say what was done."""
        what = "row" if self.series is None else "forecast"
        scored = " scored" if self.series is None else ""
        absent = [
            f'"{name}"' + (f" in {counted(n, 'file')}" if n < files else "")
            for name, n in self.absent.items()
        ]
        unseen = [f'"{name}" in {counted(n, "row")}' for name, n in self.unseen.items()]
        return (
            f"{counted(self.rows, what)}{scored} by {version} into {target}{beside}"
            + (f"; taken as missing in every row: {', '.join(absent)}" if absent else "")
            + (f"; labels that training never saw: {', '.join(unseen)}" if unseen else "")
        )


class RowScorer:
    """Scores the rows of a file in parts, so that it may be of any size."""

    def __init__(
        self, predictor: RowPredictor, source: str, parts: Parts, *, explain: bool = False
    ) -> None:
        self._predictor = predictor
        self._explain = explain
        self._source = source
        self._parts = parts
        self._columns: list[str] = []  # of the file
        self._unseen: Counter[str] = Counter()  # rows with a label that training never saw

    def parts(self) -> Iterator[ScoredPart]:
        """Yield the rows with their predictions, in their order."""
        inputs = [column.name for column in self._predictor.schema.inputs]
        before = 0
        with tqdm(total=self._parts.rows, unit=" rows", disable=None, leave=False) as bar:
            for given, rows in self._parts.parts:
                predictions = self._predict(rows, before)
                self._columns = given.column_names
                self._count_unseen(rows)
                why = map(in_words, self._predictor.explain(rows)) if self._explain else ()
                yield ScoredPart(given, rows, rows.filter(inputs), predictions, explanations=[*why])
                before += len(predictions)
                bar.update(len(predictions))
                release_memory()

    def shadow(self, challenger: RowPredictor, part: ScoredPart) -> pd.DataFrame:
        """Return what a challenger predicts of the same rows; the index counts from 0."""
        return challenger.predict(part.rows)

    def found(self) -> Found:
        """Return what there is to say, and what the model could make nothing of."""
        inputs = self._predictor.schema.inputs
        absent = {column.name: 1 for column in inputs if column.name not in self._columns}
        unseen = {name: n for name, n in self._unseen.items() if n}
        return Found(self._parts.rows, absent=absent, unseen=unseen)

    def _predict(self, rows: pd.DataFrame, before: int) -> pd.DataFrame:
        try:
            return self._predictor.predict(rows)
        except ConversionError as error:
            raise UserError(
                f'{self._source}: the column "{error.name}" has {error.value!r} in row '
                f"{before + error.rows[0] + 1:,}, but must be {error.expected}; correct it and "
                "score again."
            ) from None
        except UserError as error:
            raise UserError(f"{self._source}: {error.message}") from None

    def _count_unseen(self, rows: pd.DataFrame) -> None:
        for column in self._predictor.schema.inputs:
            # Where there are very many categories the schema does not hold all of them.
            whole = column.kind == "category" and len(column.categories) < MOST_CATEGORIES
            if whole and column.name in rows:
                given = labels(rows[column.name].dropna())
                self._unseen[column.name] += int((~given.isin(column.categories)).sum())
