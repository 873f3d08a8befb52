"""The few types of columns that rows of any source are brought to, and one schema for all."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from ..problem.columns import labels
from ..problem.dates import NO_DATES

TEXT, WHOLE, DECIMAL = pa.string(), pa.int64(), pa.float64()
FIRST, LAST = (pa.scalar(day).cast(pa.timestamp("us")) for day in ("0001-01-02", "9999-12-30"))
INTEGER_DIGITS = 18  # that 64 bits hold for sure


class UnreadableError(Exception):
    """What is wrong with a file: the end of a sentence that begins with its name."""


def check_names(names: Iterable[str]) -> list[str]:
    """Return the names of columns without blanks around them, if each has one of its own."""
    stripped = [name.strip() for name in names]
    if "" in stripped:
        raise UnreadableError(
            f"has no name for column {stripped.index('') + 1}; give it one, or take it out "
            "(pandas writes such a column unless to_csv is told index=False)"
        )
    for name, times in Counter(stripped).items():
        if times > 1:
            raise UnreadableError(f'has {times} columns named "{name}"; names must differ')
    return stripped


def plain_table(table: pa.Table, missing: Sequence[str] = ()) -> pa.Table:
    """Return numbers, booleans, times, categories and texts only, and what is missing as null."""
    columns = [_blank(_simple(column), missing) for column in table.columns]
    return pa.table(columns, names=check_names(table.column_names))


def from_rows(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> pa.Table:
    """Make a table of rows that hold Python's values."""
    columns = zip(*rows, strict=True) if rows else [[] for _ in names]
    return pa.Table.from_arrays([_array(values) for values in columns], names=list(names))


def from_records(records: Sequence[dict[str, Any]]) -> pa.Table:
    """Make a table of objects; one inside another becomes columns named ``outer.inner``."""
    flat = [_flat(record) for record in records]
    names = list(dict.fromkeys(name for record in flat for name in record))
    return from_rows([[record.get(name) for name in names] for record in flat], names)


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return a schema that holds the columns of all; where types differ, the wider one or text."""
    kinds: dict[str, pa.DataType] = {}
    for schema in schemas:
        for column in schema:
            kinds[column.name] = _wider(kinds.get(column.name, column.type), column.type)
    return pa.schema([(n, TEXT if types.is_null(kind) else kind) for n, kind in kinds.items()])


def bring(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `table` in another schema, as `common_schema` makes it."""
    columns = [
        _cast(table[column.name], column.type)
        if column.name in table.column_names
        else pa.nulls(table.num_rows, column.type)
        for column in schema
    ]
    return pa.table(columns, schema=schema)


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    return DECIMAL if {one, other} == {WHOLE, DECIMAL} else TEXT


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    if kind == TEXT and not types.is_null(column.type):
        return pa.chunked_array([_texts(column.to_pandas())], TEXT)
    return column.cast(kind, safe=False)


def _texts(values: pd.Series) -> pa.Array:
    """Write values as everywhere in the project: 1, 1.0 and "1" are one label."""
    return pa.Array.from_pandas(labels(values), type=TEXT)


def _array(values: Sequence[Any]) -> pa.Array:
    values = [_written(value) if isinstance(value, dict | list) else value for value in values]
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError):
        return _texts(pd.Series(values, dtype=object))  # of mixed types, or of one that Arrow lacks


def _simple(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Bring a column to one of the few types."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and kind.storage_type == TEXT:
        # What a database has for itself comes as text, its exact numbers among them.
        stored = pa.chunked_array([chunk.storage for chunk in column.chunks], TEXT)
        return stored.cast(DECIMAL) if getattr(kind, "type_name", "") == "numeric" else stored
    if kind in {TEXT, DECIMAL} or types.is_null(kind):
        return column
    if types.is_dictionary(kind):  # what somebody made a category is one, its numbers are labels
        return _cast(column.cast(kind.value_type), TEXT).dictionary_encode()
    if types.is_duration(kind):
        return column.cast(pa.duration("us"), safe=False)
    if types.is_boolean(kind):
        return _cast(column, TEXT) if column.null_count else column
    exact = types.is_decimal(kind) and kind.scale == 0 and kind.precision <= INTEGER_DIGITS
    if types.is_integer(kind) or exact:
        most = 2**53 if column.null_count else 2**63 - 1  # beside a missing one it is a fraction
        too_large = (pc.max(column).as_py() or 0) > most
        return column.cast(TEXT if too_large else WHOLE)
    if types.is_floating(kind) or types.is_decimal(kind):
        return column.cast(DECIMAL, safe=False)
    if types.is_date(kind) or types.is_timestamp(kind):
        zone = getattr(kind, "tz", None)
        times = _blank(column.cast(pa.timestamp("us", zone), safe=False), [])
        return pc.local_timestamp(times) if zone else times
    if types.is_large_string(kind) or types.is_string_view(kind):
        return column.cast(TEXT)
    texts = [None if value is None else _written(value) for value in column.to_pylist()]
    return pa.chunked_array([texts], TEXT)


def _blank(column: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """Make null what is blank, no number, no time, or stands in `missing`."""
    kind = column.type
    if types.is_dictionary(kind):
        return _blank(column.cast(TEXT), missing).dictionary_encode()
    if kind == TEXT:
        wrong = pc.is_in(column, value_set=pa.array(["", *NO_DATES, *missing], TEXT))
    elif kind in {WHOLE, DECIMAL}:
        numbers = pd.to_numeric(pd.Series(missing, dtype=object), errors="coerce").dropna()
        marks = pa.array([float("nan"), *numbers], DECIMAL)
        wrong = pc.is_in(column.cast(DECIMAL, safe=False), value_set=marks)
    elif types.is_timestamp(kind):  # "infinity" is no time
        wrong = pc.or_(pc.less(column, FIRST.cast(kind)), pc.greater(column, LAST.cast(kind)))
    else:
        return column
    return pc.if_else(wrong, pa.scalar(None, kind), column) if pc.any(wrong).as_py() else column


def _flat(record: dict[str, Any], outer: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, value in record.items():
        name = outer + key
        inner = _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
        if row.keys() & inner.keys():  # {"a": {"b": 1}, "a.b": 2}
            check_names([*row, *inner])
        row |= inner
    return row


def _written(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
