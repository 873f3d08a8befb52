"""Chunks on disk while a collection is under way, so that one that was killed goes on.

A chunk becomes a file of its own, whole or not at all, which holds its rows and where the source
goes on after them. When all are there, they become data.parquet in one step; until then the last
good data stays. Rows whose column that grows is at or above what a later reading began with come
from that reading alone, so none is lost and none is doubled, however often one is interrupted.
"""

import json
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ..errors import UserError
from ..files import replacing
from .ahead import Ahead
from .arrow import TEXT, bring, common_schema
from .stream import Chunk, Position, Stream

PARTS = "parts"
KEY = b"source"
RESUME_SECONDS = 24 * 3600  # what is older is not gone on with: pages and offsets do not keep
GROUP_ROWS = 1 << 17  # so that the same rows give the same file, however they came
DATE = r"^\d{4}-\d{2}-\d{2}"  # texts that begin so are in the order of their times


@dataclass(frozen=True)
class Part:
    """A file of rows.

    Attributes
    ----------
    reading
        Counts how often the source was read from the start, or from a value of the column that
        grows, until all was there; data.parquet has -1.
    """

    path: Path
    reading: int = -1
    next: Any = None

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Return the rows, all columns of them or some."""
        if self.path.suffix == ".parquet":
            with parquet.ParquetFile(self.path, pre_buffer=False) as file:
                yield from file.iter_batches(GROUP_ROWS, columns=columns)
            return
        with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as file:
            for k in range(file.num_record_batches):
                batch = file.get_batch(k)
                yield batch if columns is None else batch.select(columns)

    def schema(self) -> pa.Schema:
        """Return the columns and what the file says of itself."""
        if self.path.suffix == ".parquet":
            return parquet.read_schema(self.path)
        with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as file:
            return file.schema

    def extreme(self, column: str, which: str) -> pa.Scalar:
        """Return the ``min`` or ``max`` of a column; null if there are no rows."""
        schema = self.schema()
        if column not in schema.names:
            return pa.scalar(None)
        found = [pc.call_function(which, [batch.column(0)]) for batch in self.batches([column])]
        values = pa.array([value.as_py() for value in found], schema.field(column).type)
        return pc.call_function(which, [values])


class Staging:
    """The chunks of one collection.

    Parameters
    ----------
    stored
        The data.parquet that they will become.
    stream
        The source.
    anew
        Forget what is stored and what was begun.
    """

    def __init__(self, stored: Path, stream: Stream, *, anew: bool = False) -> None:
        self.stored = stored
        self.stream = stream
        self.folder = stored.parent / PARTS
        self.base = [] if anew or not stream.cursor else self._read_base()
        self.parts = [] if anew else self._read_parts()
        if not self.parts:
            self.clear()
        self.reading = self.parts[-1].reading if self.parts else 0
        self.position = self._position()
        self._ahead: Ahead | None = None

    def __enter__(self) -> Self:
        """Begin to collect."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last good data as it is, unless `finish` has replaced it."""
        self._write_no_more_ahead()

    def stored_rows(self) -> int | None:
        """Return how many rows there are already; None if all are collected anew."""
        return parquet.read_metadata(self.stored).num_rows if self.base else None

    def add(self, chunk: Chunk) -> None:
        """Store a chunk."""
        said = {"key": self.stream.key, "reading": self.reading, "next": chunk.next}
        schema = chunk.table.schema.with_metadata({KEY: json.dumps(said)})
        path = self.folder / f"{len(self.parts):06}.arrow"
        with replacing(path) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
            writer.write_table(chunk.table, max_chunksize=GROUP_ROWS)
        self.parts.append(Part(path, self.reading, chunk.next))
        self._write_ahead(schema)

    def finish(self) -> None:
        """Make data.parquet of what was stored and the chunks.

        Raises
        ------
        UserError
            If there are no rows at all.
        """
        if self._ahead:
            self._ahead.finish()
            return
        pieces = [*self.base, *self.parts]
        self._write(pieces, common_schema(piece.schema() for piece in pieces))

    def _write_ahead(self, schema: pa.Schema) -> None:
        """Let the last chunk be written while the next is read, as long as its columns fit."""
        known = not any(map(pa.types.is_null, schema.types))
        if known and len(self.parts) == 1 and not self.base:
            first = common_schema([schema])
            self._ahead = Ahead(lambda parts: self._write(parts, first), first)
        if self._ahead and common_schema([self._ahead.schema, schema]) == self._ahead.schema:
            self._ahead.add(self.parts[-1])
        else:
            self._write_no_more_ahead()

    def _write_no_more_ahead(self) -> None:
        if self._ahead:
            self._ahead.give_up()
            self._ahead = None

    def _write(self, pieces: Iterable[Part], schema: pa.Schema) -> None:
        marked = schema.with_metadata({KEY: self.stream.key})
        # Only texts repeat enough for a dictionary to be worth the time that it takes.
        texts = [column.name for column in schema if column.type == TEXT]
        with (
            replacing(self.stored) as temporary,
            parquet.ParquetWriter(temporary, marked, use_dictionary=texts) as writer,
        ):
            rows = 0
            for table in _regrouped(self._tables(pieces, schema)):
                writer.write_table(table)
                rows += table.num_rows
            if not rows:
                raise UserError(f"{self.stream.sources[0].name} has no rows; nothing was changed.")

    def clear(self) -> None:
        """Forget the chunks."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.parts = []

    def _tables(self, pieces: Iterable[Part], schema: pa.Schema) -> Iterator[pa.Table]:
        """Return the rows of all, but those that a later reading has given again."""
        bounds = self._bounds(pieces) if isinstance(pieces, list) and self.stream.cursor else {}
        for piece in pieces:
            bound = bounds.get(piece.reading)
            for batch in piece.batches():
                table = bring(pa.Table.from_batches([batch]), schema)
                if bound is not None:
                    column = table[self.stream.cursor]
                    table = table.filter(pc.less(column, bound.cast(column.type)))
                yield table

    def _bounds(self, pieces: list[Part]) -> dict[int, pa.Scalar]:
        """Return for each reading the value from which on later ones gave its rows again."""
        bounds: dict[int, pa.Scalar] = {}
        lowest: list[pa.Scalar] = []
        for reading in sorted({piece.reading for piece in pieces}, reverse=True):
            if lowest:
                bounds[reading] = min(lowest, key=lambda value: value.as_py())
            own = (p.extreme(self.stream.cursor, "min") for p in pieces if p.reading == reading)
            lowest += [value for value in own if value.is_valid]
        return bounds

    def _position(self) -> Position:
        begun = self.parts[-1].next if self.parts else None
        if not self.stream.cursor or begun is not None:
            return Position(next=begun)
        greatest = [p.extreme(self.stream.cursor, "max") for p in [*self.base, *self.parts]]
        if self.parts:
            self.reading += 1
        values = [value.as_py() for value in greatest if value.is_valid]
        if len({type(value) for value in values}) > 1:  # it is another column by now
            self.base = []
            self.clear()
            return Position()
        return Position(since=max(values, default=None))

    def _read_base(self) -> list[Part]:
        base = Part(self.stored)
        try:
            said = base.schema().metadata or {}
        except (OSError, pa.ArrowException):
            return []
        return [base] if said.get(KEY, b"").decode() == self.stream.key else []

    def _read_parts(self) -> list[Part]:
        """Return what an interrupted collection left; nothing if it is of no use any more."""
        parts = []
        for path in sorted(self.folder.glob("*.arrow")):
            try:
                said = json.loads(Part(path).schema().metadata[KEY])
            except (OSError, pa.ArrowException, KeyError, TypeError):
                return []
            if said["key"] != self.stream.key:
                return []
            parts.append(Part(path, said["reading"], said["next"]))
        if not parts or time.time() - parts[-1].path.stat().st_mtime > RESUME_SECONDS:
            return []
        return parts if self.stream.cursor or parts[-1].next is not None else []


def check_grows(table: pa.Table, name: str) -> None:
    """Refuse rows that cannot be put in the order of the column that grows.

    Raises
    ------
    UserError
        If they have no such column, or a row has no value, or the values do not grow.
    """
    if name not in table.column_names:
        raise UserError(
            f'[data] cursor is "{name}", a column that the source does not have; it has '
            f"{', '.join(table.column_names[:10])}."
        )
    column = table[name]
    if column.null_count:
        raise UserError(
            f'[data] cursor "{name}" is missing in {column.null_count:,} rows; a column that tells '
            "which rows are new needs a value in each."
        )
    text = pa.types.is_string(column.type)
    if text and not pc.all(pc.match_substring_regex(column, DATE)).as_py():
        raise UserError(
            f'[data] cursor "{name}" holds texts; a column that grows is a number or a time.'
        )


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Return the rows in tables of the same size, the last one apart."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        if count >= GROUP_ROWS:
            whole = pa.concat_tables(waiting)
            full = count - count % GROUP_ROWS
            for start in range(0, full, GROUP_ROWS):
                yield whole.slice(start, GROUP_ROWS).combine_chunks()
            waiting, count = [whole.slice(full)], count - full
    if count:
        yield pa.concat_tables(waiting).combine_chunks()
