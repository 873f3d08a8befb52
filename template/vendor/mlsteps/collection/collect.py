"""Write the rows as they came to data/raw, with their provenance beside them."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from .. import report
from ..errors import UserError
from ..files import file_digest, read_json, remove_unfinished, write_json
from ..problem.project import ROWS, Project
from . import file
from .labelled import join
from .memory import read_whole
from .sample import read_chosen, read_same
from .storage import store
from .stream import Source, Stream, left_out

LABELLED = "labelled.parquet"  # rows whose true labels came back after deployment; step 8 adds them
PROVENANCE = "provenance.json"
CACHE = "cache"
PREVIEW_ROWS = 10

Rows: TypeAlias = Stream | pd.DataFrame | Iterable[pd.DataFrame]
ReadRows = Callable[[Project], Rows]


def collect(project: Project, read_rows: ReadRows, *, anew: bool = False) -> str:
    """Read the source and store its rows, their provenance and a card for the report.

    Parameters
    ----------
    project : Project
        The project, whose ``data/raw`` is written to.
    read_rows : callable
        Takes the project and returns the rows: a stream, a frame, or frames one after another.
    anew : bool, default False
        Read all rows again, whatever is stored or was downloaded.

    Returns
    -------
    str
        What was collected, and which columns are not what they were, a line each.

    Raises
    ------
    UserError
        If the source cannot be read. What was stored stays as it is.

    Examples
    --------
    >>> from mlsteps import open_project
    >>> collect(open_project(), open_source)
    '600 rows and 14 columns from rows.csv'
    """
    path = project.raw / ROWS
    if anew:
        shutil.rmtree(project.raw / CACHE, ignore_errors=True)
    stream = _as_stream(read_rows(project), project.root.name)
    stored = store(path, stream, anew=anew)
    rows, types = parquet.read_metadata(path).num_rows, _types(path)
    sources = [replace(s, rows=rows if s.rows is None else s.rows) for s in stream.sources]
    changes = _changes(project, stream.title(), types)
    write_json(
        project.raw / PROVENANCE,
        {
            "source": stream.title(),
            "collected_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": rows,
            "columns": types,
            "changes": changes,
            "sources": [asdict(source) for source in sources],
            "sha256": file_digest(path),
        },
    )
    summary = f"{report.counted(rows, 'row')} and {len(types):,} columns from {stream.title()}"
    if stored is not None:
        summary += f", {rows - stored:,} of them new"
    _write_card(project, summary, sources, changes)
    remove_unfinished(project.raw)
    return "\n".join([summary, *left_out(sources), *(f"{change}." for change in changes)])


def preview(project: Project) -> str:
    """Read the source that ``[data]`` names, and write nothing to the project.

    Parameters
    ----------
    project : Project
        The project.

    Returns
    -------
    str
        The first rows, the type of each column, and the number of rows, in lines.

    Raises
    ------
    UserError
        If the source cannot be read, or has no rows.

    Examples
    --------
    >>> from mlsteps import open_project
    >>> print(preview(open_project()).splitlines()[-1])
    600 rows and 14 columns; nothing was written.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / ROWS
        stream = _open_source(project, Path(folder))
        store(path, stream)
        with parquet.ParquetFile(path) as stored:
            count, first = stored.metadata.num_rows, next(stored.iter_batches(PREVIEW_ROWS))
        types = _types(path)
    width = max(map(len, types))
    return "\n\n".join(
        [
            first.to_pandas().to_string(index=False, max_colwidth=30, na_rep=""),
            "\n".join(f"{name:<{width}}  {kind}" for name, kind in types.items()),
            *left_out(stream.sources),
            f"{report.counted(count, 'row')} and {len(types):,} columns; nothing was written.",
        ]
    )


def open_source(project: Project) -> Stream:
    """Return the source that ``[data]`` means: a file as long as one is named.

    Parameters
    ----------
    project : Project
        The project.

    Returns
    -------
    Stream
        The source; its rows are read when `collect` stores them.

    Raises
    ------
    UserError
        If a setting of the source is wrong, or a library that it needs is not installed.

    Examples
    --------
    >>> from mlsteps import open_project
    >>> stream = open_source(open_project())
    >>> next(iter(stream.read(None))).num_columns
    14
    """
    return _open_source(project, project.raw / CACHE)


def fingerprint(project: Project) -> str | None:
    """Return a text that changes when the files of the source do.

    Parameters
    ----------
    project : Project
        The project.

    Returns
    -------
    str or None
        A digest of the files; None if only reading the source tells whether it has changed.

    Raises
    ------
    UserError
        If there is no such file.

    Examples
    --------
    >>> from mlsteps import open_project
    >>> fingerprint(open_project()) == fingerprint(open_project())
    True
    """
    return file.fingerprint(project.definition.data, project.root)


def read_raw(project: Project) -> pd.DataFrame:
    """Return the collected rows, then those whose true labels came back after deployment.

    With ``[split] sample_rows``, those of them that a hash chooses; the index has their numbers.

    Parameters
    ----------
    project : Project
        The project.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        The rows, with the types that `collect` stored.

    Raises
    ------
    UserError
        If nothing was collected yet, a file is damaged, or the rows surely take more memory than
        is free.

    Examples
    --------
    >>> from mlsteps import open_project
    >>> read_raw(open_project()).shape
    (600, 14)
    """
    path = project.raw / ROWS
    if not path.is_file():
        raise UserError(f"There is no {path}; collect the data first.")
    frame, sample = read_chosen(project) or (read_whole(path), None)
    back = project.raw / LABELLED
    if not back.is_file():
        return frame
    labelled = read_same(back, project, sample, list(frame)) if sample else read_whole(back)
    definition = project.definition
    own, columns = definition.not_features(), definition.columns
    keep = getattr(definition.preparation, "repetitions", "") == "keep"  # of rows, not of series
    rows = join(frame, labelled, own, columns.identity(), columns.kinds, keep=keep)
    if sample:  # the others are numbered after all that were collected
        after = range(sample.collected, sample.collected + len(rows) - len(frame))
        rows.index = pd.Index([*frame.index, *after])
    return rows


def _as_stream(rows: Rows, name: str) -> Stream:
    """Return rows of the project's own as a stream: a frame, or frames one after another."""
    if isinstance(rows, Stream):
        return rows
    frames = [rows] if isinstance(rows, pd.DataFrame) else rows
    tables = (pa.Table.from_pandas(frame, preserve_index=False) for frame in frames)
    return Stream(lambda _: tables, [Source(f"read_rows of {name}")])


def _open_source(project: Project, cache: Path) -> Stream:
    data: Any = project.definition.data
    if data.path:
        return file.open_stream(data, project.root, cache)
    try:
        module = import_module(f".{data.source}", __package__)
    except ModuleNotFoundError as error:  # a project has the libraries of its own source only
        raise UserError(
            f'[data] source is "{data.source}", but {error.name} is not installed; run `copier '
            f"update --data data_source={data.source}`, which adds it to pyproject.toml."
        ) from None
    return module.open_stream(data, project.root, cache)


def _types(path: Path) -> dict[str, str]:
    frame = parquet.read_schema(path).empty_table().to_pandas()
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def _changes(project: Project, name: str, types: dict[str, str]) -> list[str]:
    """Name what is different from the last collection, if that was from the same source."""
    path = project.raw / PROVENANCE
    last = read_json(path) if path.is_file() else {}
    if last.get("source") != name:
        return []
    before = last["columns"]
    changed = [n for n, kind in types.items() if before.get(n, kind) != kind]
    return [
        *(f'"{column}" is gone' for column in before if column not in types),
        *(f'"{column}" is new ({kind})' for column, kind in types.items() if column not in before),
        *(f'"{column}" was {before[column]} and is {types[column]} now' for column in changed),
    ]


def _write_card(project: Project, summary: str, sources: list[Source], changes: list[str]) -> None:
    with parquet.ParquetFile(project.raw / ROWS, pre_buffer=False) as stored:
        rows, first = stored.metadata.num_rows, next(stored.iter_batches(1)).to_pylist()[0]
    columns = [
        {"column": name, "stored as": kind, "first value": first[name]}
        for name, kind in _types(project.raw / ROWS).items()
    ]
    listed = pd.DataFrame(sources).rename(
        columns={"name": "source", "note": "read as", "left_out": "left out", "sha256": "SHA-256"}
    )
    optional = ("SHA-256", "left out", "licence", "citation")
    empty = [name for name in optional if not any(listed[name])]
    report.write_card(
        project.reports,
        "collect",
        summary,
        *(report.notice(f"{change} since the last collection.", "warn") for change in changes),
        report.facts({"rows": rows, "columns": len(columns), "sources": len(sources)}),
        report.table(listed.drop(columns=empty), "Where the rows came from"),
        report.details("Columns as collected", report.table(columns, "Columns as collected")),
    )
