"""Write the rows as they came to data/raw, with their provenance beside them."""

import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from tqdm import tqdm

from .. import report
from ..errors import UserError
from ..files import file_digest, read_frame, read_json, write_json
from ..problem.project import Project
from . import file
from .arrow import UnreadableError, bring, common_schema
from .labelled import join
from .provenance import Source, changes, without_secrets
from .storage import check_grows, find_stored, store
from .stream import Stream

ROWS = "data.parquet"
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
    read_rows
        Returns the rows: a stream, a frame, or frames one after another.
    anew
        Read all rows again, whatever is stored or was begun.

    Returns
    -------
    str
        What was collected, and which columns are not what they were, a line each.

    Raises
    ------
    UserError
        If the source cannot be read. What was stored stays as it is.
    """
    data, path = project.definition.data, project.raw / ROWS
    if anew:
        shutil.rmtree(project.raw / CACHE, ignore_errors=True)
    stream = as_stream(read_rows(project), project.root.name)
    stored = None if anew else find_stored(path, stream)
    with closing(_read(stream, stored.greatest if stored else None)) as tables:
        store(path, stream, tables, add=stored is not None)
    rows = parquet.read_metadata(path).num_rows
    sources = [replace(s, rows=rows if s.rows is None else s.rows) for s in stream.sources]
    shown = data.path and not stream.own
    name = without_secrets(data.path) if shown else sources[0].name
    types = _types(parquet.read_schema(path))
    changed = _changes(project, name, types)
    write_json(
        project.raw / PROVENANCE,
        {
            "source": name,
            "collected_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": rows,
            "columns": types,
            "changes": changed,
            "sources": [vars(source) for source in sources],
            "sha256": file_digest(path),
        },
    )
    summary = f"{rows:,} rows and {len(types):,} columns from {name}"
    if stored:
        summary += f", {rows - stored.rows:,} of them new"
    _write_card(project, summary, sources, changed)
    for left in project.raw.rglob(".*.tmp"):  # by collections that were killed
        left.unlink()
    return "\n".join([summary, *(f"{change}." for change in changed)])


def preview(project: Project) -> str:
    """Return the first rows of the source, the types and the number of rows; write nothing.

    Raises
    ------
    UserError
        If the source cannot be read.
    """
    first, schemas, count = [], [], 0
    for table in _tables(project.definition.data, project.root):
        schemas.append(table.schema)
        if count < PREVIEW_ROWS:
            first.append(table.slice(0, PREVIEW_ROWS - count))
        count += table.num_rows
    schema = common_schema(schemas)
    rows = pa.concat_tables([bring(table, schema) for table in first]).to_pandas()
    types = _types(schema)
    width = max(map(len, types), default=0)
    return "\n\n".join(
        [
            rows.to_string(index=False, max_colwidth=30, na_rep="") if count else "No rows.",
            "\n".join(f"{name:<{width}}  {kind}" for name, kind in types.items()),
            f"{count:,} rows and {len(types):,} columns; nothing was written.",
        ]
    )


def open_source(project: Project) -> Stream:
    """Return the source that ``[data]`` means: a file as long as one is named."""
    return _open_source(project.definition.data, project.root, project.raw / CACHE)


def fingerprint(project: Project) -> str | None:
    """Return a digest that changes when the files do; None if only fetching them would tell."""
    return file.fingerprint(project.definition.data, project.root)


def as_stream(rows: Rows, name: str) -> Stream:
    """Return rows of the project's own as a stream: a frame, or frames one after another."""
    if isinstance(rows, Stream):
        return rows
    frames = [rows] if isinstance(rows, pd.DataFrame) else rows

    def read(_: object) -> Iterator[pa.Table]:
        for frame in frames:
            yield pa.Table.from_pandas(frame, preserve_index=False)

    return Stream(read, sources=[Source(f"read_rows of {name}")], own=True)


def _open_source(data: Any, root: Path, cache: Path) -> Stream:
    if data.path:
        return file.open_stream(data, root, cache)
    try:
        module = import_module(f".{data.source}", __package__)
    except ModuleNotFoundError as error:  # a project has the libraries of its own source only
        raise UserError(
            f'[data] source is "{data.source}", but {error.name} is not installed; run `copier '
            f"update --data data_source={data.source}`, which adds it to pyproject.toml."
        ) from None
    return module.open_stream(data, root, cache)


def read_raw(project: Project) -> pd.DataFrame:
    """Return the collected rows, then those whose true labels came back after deployment.

    Raises
    ------
    UserError
        If nothing was collected yet, or a file is damaged.
    """
    path = project.raw / ROWS
    if not path.is_file():
        raise UserError(f"There is no {path}; collect the data first.")
    frame = read_frame(path)
    if not (project.raw / LABELLED).is_file():
        return frame
    labelled = read_frame(project.raw / LABELLED)
    columns = project.definition.columns
    return join(frame, labelled, columns.not_features(), columns.identity())


def _tables(data: Any, root: Path) -> Iterator[pa.Table]:
    with TemporaryDirectory() as cache:
        stream = _open_source(data, root, Path(cache))
        with closing(_read(stream, None)) as tables:
            for table in tables:
                if stream.cursor and table.num_rows:
                    check_grows(table, stream.cursor)
                yield table


def _read(stream: Stream, since: Any) -> Generator[pa.Table, None, None]:
    """Read a source, and show how far it is."""
    with tqdm(desc="collect", unit=" rows", unit_scale=True, disable=None, leave=False) as bar:
        try:
            for table in stream.read(since):
                yield table
                bar.update(table.num_rows)
        except UnreadableError as error:
            raise UserError(f"{stream.sources[0].name} {error}.") from None


def _types(schema: pa.Schema) -> dict[str, str]:
    frame = schema.empty_table().to_pandas()
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def _changes(project: Project, name: str, types: dict[str, str]) -> list[str]:
    """Name what is different from the last collection, if that was from the same source."""
    try:
        before = read_json(project.raw / PROVENANCE)
    except UserError:
        return []
    return changes(before["columns"], types) if before.get("source") == name else []


def _write_card(project: Project, summary: str, sources: list[Source], changed: list[str]) -> None:
    listed = [
        {
            "source": s.name,
            "rows": s.rows,
            "read as": s.note,
            "SHA-256": s.sha256,
            "licence": s.licence,
            "citation": s.citation,
        }
        for s in sources
    ]
    for name in ("SHA-256", "licence", "citation"):
        if not any(source[name] for source in listed):
            for source in listed:
                del source[name]
    columns = _columns(project.raw / ROWS)
    missing = sum(column["missing, %"] for column in columns) / max(len(columns), 1)
    report.write_card(
        project.reports,
        "collect",
        summary,
        *(report.notice(f"{change} since the last collection.", "warn") for change in changed),
        report.facts(
            {
                "rows": parquet.read_metadata(project.raw / ROWS).num_rows,
                "columns": len(columns),
                "sources": len(sources),
                "cells missing": f"{missing / 100:.1%}",
            }
        ),
        report.table(listed, "Where the rows came from"),
        report.details("Columns as collected", report.table(columns, "Columns as collected")),
    )


def _columns(path: Path) -> list[dict[str, Any]]:
    """Describe each column from what the file says of itself, and from its first row."""
    with parquet.ParquetFile(path, pre_buffer=False) as stored:
        said, schema = stored.metadata, stored.schema_arrow
        first = next(stored.iter_batches(1))
        groups = [said.row_group(k) for k in range(said.num_row_groups)]
        return [
            {
                "column": name,
                "stored as": kind,
                "missing, %": 100
                * sum(group.column(k).statistics.null_count for group in groups)
                / said.num_rows,
                "first value": None
                if first.column(k)[0].as_py() is None
                else str(first.column(k)[0])[:60],
            }
            for k, (name, kind) in enumerate(_types(schema).items())
        ]
