"""Choose some of the collected rows by a hash, and look at all of them, a row group at a time.

The hash is of a row's values, or of those of its group or series. So the same rows are chosen on
every machine and in whatever order they came, and those of a smaller sample are in a larger.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ..errors import UserError
from ..files import file_digest, read_frame, release_memory, replacing
from ..problem.columns import labels
from ..problem.keys import numbered, row_keys
from ..problem.project import ROWS, Project
from ..problem.sample import FOLDER, Sample, hashed_columns, read_sample, write_sample
from ..problem.sources import Data
from ..problem.validation import check_present
from .describe import compare
from .file import open_stream
from .memory import read_whole, row_groups, rows_that_fit
from .storage import store
from .stream import Source, digest

NUMBER = " row"  # the column of a row's number among all; no collected one has such a name
PART = 1_000_000  # hashes that are in memory at a time, or more where many rows are equal
MOST_PARTS = 200  # files that are open at a time
HASHED = np.dtype([("key", "uint64"), ("row", "int64")])
ONE = "[split] sample_rows takes whole series and groups, but all rows are of one; set it to 0."


def read_chosen(project: Project) -> tuple[pd.DataFrame, Sample] | None:
    """Return the rows of the sample, numbered as they were collected, or None if all are used."""
    path, folder, problem = project.raw / ROWS, project.raw / FOLDER, project.definition.problem
    asked = project.definition.split.sample_rows
    total = parquet.read_metadata(path).num_rows if asked else 0
    if asked >= total:
        write_sample(folder, None)
        (folder / ROWS).unlink(missing_ok=True)
        return None
    names, chosen_by = hashed_columns(project.definition)
    if problem.of_series and not names:
        raise UserError(ONE)
    known = problem.target if problem.target_kind == "category" else ""
    definition = project.definition
    apart = {*definition.not_inputs(), *names, definition.columns.date}
    key = digest(file_digest(path), asked, names, known, sorted(apart))
    sample = read_sample(folder)
    if sample is None or sample.key != key or not (folder / ROWS).is_file():
        write_sample(folder, None)  # written last, so that it is always that of the rows
        cut, classes = _draw(path, folder / ROWS, asked, names, known)
        rows = parquet.read_metadata(folder / ROWS).num_rows
        told = compare(path, folder / ROWS, known, classes, apart)
        sample = Sample(key, rows, total, chosen_by, cut, *told)
        write_sample(folder, sample)
    frame = read_whole(folder / ROWS)
    frame.index = pd.Index(frame.pop(NUMBER).to_numpy())
    return frame, sample


def read_rest(project: Project) -> Iterator[pd.DataFrame]:
    """Yield the rows outside of the sample, numbered as they were collected, some at a time.

    There are none where ``[split] all_rows`` is false, or where all rows are in the sample. Rows
    whose true labels came back are not among them.

    Parameters
    ----------
    project : Project
        Its sample was read before.

    Yields
    ------
    DataFrame
        With the types that `collect` stored.

    Examples
    --------
    >>> from mlsteps import open_project
    >>> sum(map(len, read_rest(open_project())))
    0
    """
    folder, split = project.raw / FOLDER, project.definition.split
    if not getattr(split, "all_rows", False) or read_sample(folder) is None:
        return
    chosen = read_frame(folder / ROWS, [NUMBER])[NUMBER].to_numpy()
    with parquet.ParquetFile(project.raw / ROWS, pre_buffer=False) as file:
        for first, table in row_groups(file, "rest", file.schema_arrow.names):
            frame = table.to_pandas()
            frame.index = pd.RangeIndex(first, first + len(frame))
            outside = frame[~np.isin(frame.index, chosen)]
            if len(outside):
                yield outside
    release_memory()


def read_what_fits(
    path: str, data: Data, *, of_series: bool
) -> tuple[pd.DataFrame, list[Source], int]:
    """Read files that are not collected yet, or as many of their rows as memory holds.

    Returns the files and how many rows these are as well, 0 if they are all; of series all have to.
    """
    with TemporaryDirectory() as folder:
        stream = open_stream(data.model_copy(update={"path": path}), Path.cwd(), Path(folder))
        store(Path(folder) / ROWS, stream)
        frame, few = look_at(Path(folder) / ROWS, of_series=of_series)
        return frame, stream.sources, few


def look_at(path: Path, *, of_series: bool) -> tuple[pd.DataFrame, int]:
    """Read collected rows, or as many as memory holds; return how many then, 0 if they are all."""
    if of_series:
        return read_whole(path), 0
    few = rows_that_fit(path)
    if not few:
        return read_frame(path), 0
    with TemporaryDirectory() as folder:
        _draw(path, Path(folder) / ROWS, few, [], "")
        return read_frame(Path(folder) / ROWS).drop(columns=NUMBER), few


def read_same(path: Path, project: Project, sample: Sample, columns: list[str]) -> pd.DataFrame:
    """Return those rows of another file that the same hash of these columns chooses."""
    names, _ = hashed_columns(project.definition)
    with TemporaryDirectory() as folder, parquet.ParquetFile(path, pre_buffer=False) as file:
        rows, there = Path(folder) / ROWS, file.schema_arrow.names
        parts, _ = _hash(file, names or [n for n in columns if n in there], Path(folder), "")
        _write(file, _choose(parts, sample.cut, whole=bool(names)), rows)
        return read_whole(rows).filter(columns)


def _draw(
    path: Path, target: Path, asked: int, names: list[str], known: str
) -> tuple[int, pd.Series]:
    """Write the chosen rows of a file to another; return the greatest hash, and all labels."""
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        all_names, total = file.schema_arrow.names, file.metadata.num_rows
        check_present("[columns]", names, all_names)
        with TemporaryDirectory() as folder:
            parts, classes = _hash(file, names or all_names, Path(folder), known)
            cut = _cut(parts, asked) if names else asked * 2**64 // total
            chosen = _choose(parts, cut, whole=bool(names))
        if not len(chosen):
            raise UserError(
                f"[split] sample_rows = {asked} chooses no row of {total:,}; set it higher."
            )
        _write(file, chosen, target)
    release_memory()
    return cut, classes


def _write(file: parquet.ParquetFile, chosen: np.ndarray, target: Path) -> None:
    """Write the rows with these numbers, and their numbers, to another file."""
    schema = file.schema_arrow
    with (
        replacing(target, private=True) as temporary,
        parquet.ParquetWriter(temporary, schema.append(pa.field(NUMBER, pa.int64()))) as writer,
    ):
        for first, table in row_groups(file, "sample", schema.names):
            start, end = np.searchsorted(chosen, [first, first + len(table)])
            if start < end:
                rows = table.take(chosen[start:end] - first)
                writer.write_table(rows.append_column(NUMBER, pa.array(chosen[start:end])))


def _hash(
    file: parquet.ParquetFile, names: Sequence[str], folder: Path, known: str
) -> tuple[list[Path], pd.Series]:
    """Put the hashes of all rows into files, equal ones into the same; count labels of a column."""
    number = min(1 + file.metadata.num_rows // PART, MOST_PARTS)
    parts, classes = [folder / str(k) for k in range(number)], pd.Series(dtype="int64")
    columns = [n for n in file.schema_arrow.names if n in {*names, known}]
    with ExitStack() as stack:
        files = [stack.enter_context(part.open("wb")) for part in parts]
        for first, table in row_groups(file, "hash", columns):
            keys = row_keys(table.to_pandas(), names)
            hashed = np.empty(len(keys), HASHED)
            hashed["key"], hashed["row"] = keys, np.arange(first, first + len(keys))
            place = hashed["key"] % np.uint64(number)
            for k, part in enumerate(files):
                part.write(hashed[place == k].tobytes())
            if known in table.column_names:
                more = labels(table[known].to_pandas()).value_counts()
                classes = classes.add(more, fill_value=0)
    return parts, classes


def _cut(parts: Sequence[Path], asked: int) -> int:
    """Return the hash up to which groups have so many rows together."""
    keys = (pd.Series(np.fromfile(part, HASHED)["key"]) for part in parts)
    sizes = pd.concat([some.value_counts() for some in keys]).sort_index()
    if len(sizes) < 2:
        raise UserError(ONE)
    return int(sizes.index[sizes.cumsum().searchsorted(asked)])


def _choose(parts: Sequence[Path], cut: int, *, whole: bool) -> np.ndarray:
    """Return the numbers of the rows whose hash is at most `cut`, sorted.

    Equal rows get hashes of their own, unless what is hashed is chosen as a `whole`.
    """
    chosen = []
    for part in parts:
        hashed = np.fromfile(part, HASHED)
        keys = pd.Series(hashed["key"])
        kept = (keys if whole else numbered(keys)) <= np.uint64(cut)
        chosen.append(hashed["row"][kept.to_numpy()])
    return np.sort(np.concatenate(chosen))
