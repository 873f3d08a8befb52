"""Bring tables of any source to the few types that a file would give, and to one schema."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..problem.columns import labels
from .names import check_names

TEXT = pa.string()
FIRST, LAST = (pa.scalar(day).cast(pa.timestamp("us")) for day in ("0001-01-02", "9999-12-30"))
WHOLE = 18  # digits that an integer of 64 bits can hold


def plain_table(table: pa.Table, missing: Sequence[str] = ()) -> pa.Table:
    """Return `table` with numbers, truths, times and texts only, and what is missing as null."""
    names = check_names(table.column_names)
    columns = [_blank(_simple(column), missing) for column in table.columns]
    return pa.table(columns, names=names)


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
            known = kinds.get(column.name, column.type)
            kinds[column.name] = _wider(known, column.type)
    empty = {name for name, kind in kinds.items() if pa.types.is_null(kind)}
    return pa.schema([(name, TEXT if name in empty else kind) for name, kind in kinds.items()])


def bring(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `table` in another schema, as `common_schema` makes it."""
    columns = []
    for column in schema:
        if column.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, column.type))
        else:
            columns.append(_cast(table[column.name], column.type))
    return pa.table(columns, schema=schema)


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    numbers = {pa.int64(), pa.float64()}
    return pa.float64() if {one, other} <= numbers else TEXT


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind or pa.types.is_null(column.type) or kind != TEXT:
        return column.cast(kind, safe=False)
    return pa.chunked_array([_texts(column.to_pandas())], TEXT)


def _texts(values: pd.Series) -> pa.Array:
    """Write values as everywhere in the project: 1, 1.0 and "1" are one label."""
    return pa.Array.from_pandas(labels(values), type=TEXT)


def _array(values: Sequence[Any]) -> pa.Array:
    if any(isinstance(value, dict | list) for value in values):
        values = [_json(v) if isinstance(v, dict | list) else v for v in values]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return _texts(pd.Series(values, dtype=object))  # of mixed types, or of one that Arrow lacks


def _simple(column: pa.ChunkedArray) -> pa.ChunkedArray:
    types = pa.types
    if isinstance(column.type, pa.BaseExtensionType) and column.type.storage_type == TEXT:
        column = _stored(column)
    kind = column.type
    if types.is_null(kind) or kind in {pa.int64(), pa.float64(), TEXT}:
        return column
    if types.is_boolean(kind):
        return _cast(column, TEXT) if column.null_count else column
    if types.is_integer(kind):
        return column.cast(pa.int64())
    if types.is_decimal(kind) and kind.scale == 0 and kind.precision <= WHOLE:
        return column.cast(pa.int64())
    if types.is_floating(kind) or types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False)
    if types.is_date(kind) or types.is_timestamp(kind):
        zone = getattr(kind, "tz", None)
        return column.cast(pa.timestamp("us", "UTC" if zone else None), safe=False)
    if types.is_dictionary(kind):
        return _simple(column.cast(kind.value_type))
    if types.is_large_string(kind) or types.is_string_view(kind):
        return column.cast(TEXT)
    return pa.chunked_array([_array([_written(value) for value in column.to_pylist()])])


def _stored(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return what an extension type is stored as; a database's own numbers are texts there."""
    stored = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    numeric = getattr(column.type, "type_name", "") == "numeric"
    return stored.cast(pa.float64()) if numeric else stored


def _blank(column: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type):
        wrong = pc.is_nan(column)
    elif pa.types.is_timestamp(column.type):  # "infinity" is no time
        wrong = pc.or_(
            pc.less(column, FIRST.cast(column.type)), pc.greater(column, LAST.cast(column.type))
        )
    elif column.type == TEXT:
        wrong = pc.is_in(column, value_set=pa.array(["", *missing], TEXT))
    else:
        wrong = None
    numbers = pd.to_numeric(pd.Series(missing, dtype=object), errors="coerce").dropna()
    if len(numbers) and (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        listed = pc.is_in(column.cast(pa.float64(), safe=False), value_set=pa.array(numbers))
        wrong = listed if wrong is None else pc.or_kleene(wrong, listed)
    if wrong is None or not pc.any(wrong).as_py():
        return column
    return pc.if_else(wrong, pa.scalar(None, column.type), column)


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    pairs = list(_pairs(record))
    flat = dict(pairs)
    if len(flat) < len(pairs):  # {"a": {"b": 1}, "a.b": 2}
        check_names([name for name, _ in pairs])
    return flat


def _pairs(record: dict[str, Any], outer: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _pairs(value, f"{outer}{name}.")
        else:
            yield f"{outer}{name}", value


def _written(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return _json(value) if isinstance(value, dict | list) else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
