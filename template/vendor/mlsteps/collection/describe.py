"""What all collected rows are like, a row group at a time, and what a sample of them lacks."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ..files import read_frame, release_memory
from ..problem.columns import infer, labels
from ..problem.validation import quoted
from ..report import counted
from .memory import row_groups

MOST_LABELS = 1000  # of a column; the labels of one with more are not counted
NAMED = 3


@dataclass
class Statistics:
    """What is known of the values of a column, or of as many as were added.

    The mean and the sum of squared deviations are joined from those of row groups as by Chan, Golub
    and LeVeque (1983), "Algorithms for computing the sample variance".
    """

    missing: int = 0
    ends: list[Any] = field(default_factory=list)  # the least and the greatest, but of texts
    count: int = 0  # of numbers
    mean: float = 0.0
    squares: float = 0.0
    labels: Counter[str] | None = field(default_factory=Counter)  # None: too many to count

    def add(self, values: pa.ChunkedArray) -> None:
        """Add the values of a row group."""
        self.missing += values.null_count
        there, kind = values.drop_null(), values.type
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if not len(there):
            return
        if is_number or pa.types.is_temporal(kind):
            # Arrow does not compare durations.
            ordered = there.cast(pa.int64()) if pa.types.is_duration(kind) else there
            limits = [limit.cast(kind).as_py() for limit in pc.min_max(ordered).values()]
            ends = [*self.ends, *limits]
            self.ends = [min(ends), max(ends)]
        elif self.labels is not None:
            texts = pc.utf8_trim_whitespace(there.cast(pa.string()))
            counts = pc.value_counts(texts.combine_chunks())
            if len(counts) <= MOST_LABELS:
                found = map(pa.Array.to_pylist, counts.flatten())
                self.labels.update(dict(zip(*found, strict=True)))
            if max(len(counts), len(self.labels)) > MOST_LABELS:
                self.labels = None  # ids, or texts, which would fill memory
        if is_number:
            mean, count = pc.mean(there).as_py(), self.count + len(there)
            apart = mean - self.mean
            self.squares += len(there) * pc.variance(there).as_py()
            self.squares += apart * apart * self.count * len(there) / count
            self.mean += apart * len(there) / count
            self.count = count

    def typical(self) -> str:
        """Return the mean and the standard deviation, or the most frequent label, as text."""
        if self.count:
            return f"mean {self.mean:.4g}, deviation {np.sqrt(self.squares / self.count):.4g}"
        if self.labels is None:
            return f"more than {MOST_LABELS:,} labels"
        for label, number in self.labels.most_common(1):
            share = number / self.labels.total()
            return f'"{label}" {share:.1%}, of {counted(len(self.labels), "label")}'
        return ""

    def rows_beyond(self, sample: Self) -> int:
        """Return how many rows have a label that a sample lacks, if labels are counted."""
        if self.labels is None or sample.labels is None:
            return 0
        return sum(self.labels[label] for label in self.labels.keys() - sample.labels.keys())


def describe(path: Path) -> dict[str, Statistics]:
    """Return the statistics of each column of a file, one row group of which is in memory."""
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        found = {name: Statistics() for name in file.schema_arrow.names}
        for _, table in row_groups(file, "describe", list(found)):
            for name, statistics in found.items():
                statistics.add(table[name])
    release_memory()
    return found


def compare(
    path: Path, rows: Path, known: str, classes: pd.Series, apart: Collection[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a line for each column, and sentences on what all rows have and the sample lacks.

    `classes` are the labels of the target `known`; the columns `apart` are no features.
    """
    every, ours = describe(path), describe(rows)
    all_rows, chosen = (parquet.read_metadata(file).num_rows for file in (path, rows))
    lines = [
        {
            "column": name,
            "missing, %": 100 * each.missing / all_rows,
            "in the sample": 100 * ours[name].missing / chosen,
            "least to greatest": _span(each.ends),
            "of the sample": _span(ours[name].ends),
            "typical": each.typical(),
            "typical of the sample": ours[name].typical(),
        }
        for name, each in every.items()
    ]
    said = []
    if len(classes):
        here = labels(read_frame(rows, [known])[known])
        lacks = classes[classes.index.difference(here)]
        if len(lacks):
            rows_of = counted(int(lacks.sum()), "row")
            said.append(
                f'The sample has none of the {rows_of} whose "{known}" is {_few(lacks.index)}; set '
                "[split] sample_rows higher, or nothing is learnt of them."
            )
    gaps = [name for name, each in every.items() if each.missing and not ours[name].missing]
    if gaps:
        most = counted(max(every[name].missing for name in gaps), "row")
        said.append(
            f"No row of the sample lacks {_few(gaps)}, but of all {all_rows:,} rows up to {most} "
            "do; nothing is learnt of such rows."
        )
    others = {name: each.rows_beyond(ours[name]) for name, each in every.items()}
    unseen = [
        name
        for name, number in others.items()
        if number and name not in apart and _has_categories(rows, name)
    ]
    if unseen:
        most = counted(max(others[name] for name in unseen), "row")
        said.append(
            f"The sample lacks labels of {_few(unseen)} that up to {most} of all {all_rows:,} "
            "have; it teaches nothing of them."
        )
    return lines, said


def _has_categories(rows: Path, name: str) -> bool:
    """Tell whether the labels of a column are no dates, numbers or texts."""
    return infer(read_frame(rows, [name])[name]).kind == "category"


def _span(ends: list[Any]) -> str:
    return " to ".join(map(str, ends))


def _few(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return quoted(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
