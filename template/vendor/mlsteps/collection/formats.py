"""Read one local file of any format as a frame of plain columns."""

import json
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from gzip import BadGzipFile
from io import TextIOWrapper
from itertools import islice
from lzma import LZMAError
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import fsspec
import pandas as pd
import pyarrow as pa
from fsspec.utils import infer_compression
from pyarrow import parquet

from ..errors import UserError
from ..problem.columns import labels
from .delimited import read_delimited
from .names import UnreadableError, check_names

# In files that have no other way to say that a value is missing. "None" and "-" are not among
# them, because they can be honest labels.
MISSING = ["", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL"]
BATCH = 50_000  # rows of JSON that are held as Python objects at a time
BUFFER_BYTES = 1_000_000  # of each Parquet column that is read ahead
DAMAGED = (EOFError, zlib.error, LZMAError, BadZipFile, BadGzipFile)


def read_format(path: Path, name: str, missing: Sequence[str] = ()) -> tuple[pd.DataFrame, str]:
    """Read a local file; its suffix says how, and a second one how it is compressed."""
    compression = infer_compression(path.name)
    suffix = (Path(path.stem) if compression else path).suffix.lower()
    if suffix not in READERS:
        raise UserError(
            f'{name} has the suffix "{suffix}", which no reader knows; allowed: '
            f"{', '.join(READERS)}, also with .gz, .bz2, .xz or .zip after it."
        )
    if not path.stat().st_size:
        raise UserError(f"{name} is empty.")
    try:
        with fsspec.open(str(path), "rb", compression=compression) as stream:
            frame, note = READERS[suffix](stream, missing)
        if frame.empty:
            raise UnreadableError("has no rows")  # noqa: TRY301
    except UnreadableError as error:
        raise UserError(f"{name} {error}.") from None
    except DAMAGED as error:
        raise UserError(f"{name} is damaged or cut off ({error}).") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read ({error.strerror or error}).") from None
    return plain(blank(frame, missing)), note


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with columns of mixed types as text, so that a file can hold them."""
    changed = {}
    for name, values in frame.items():
        if values.dtype == object:
            inferred = values.infer_objects()
            changed[name] = labels(values) if inferred.dtype == object else inferred
    return frame.assign(**changed) if changed else frame


def blank(frame: pd.DataFrame, missing: Sequence[str]) -> pd.DataFrame:
    """Make missing what is blank or stands in `missing`, which numbers may match as well."""
    texts = ["", *missing]
    numbers = pd.to_numeric(pd.Series(missing, dtype=object), errors="coerce").dropna()
    changed = {}
    for name, values in frame.items():
        if pd.api.types.is_bool_dtype(values):
            continue
        if pd.api.types.is_numeric_dtype(values):
            wrong = values.isin(numbers)
        elif values.dtype == object or pd.api.types.is_string_dtype(values):
            wrong = values.isin(texts)
        else:
            continue
        if wrong.any():
            changed[name] = values.mask(wrong)
    return frame.assign(**changed) if changed else frame


def _csv(stream: BinaryIO, missing: Sequence[str]) -> tuple[pd.DataFrame, str]:
    return read_delimited(stream, [*MISSING, *missing])


def _parquet(stream: BinaryIO, missing: Sequence[str]) -> tuple[pd.DataFrame, str]:
    file = _open_parquet(stream)
    try:
        return to_frame(_without_index(file.read())), "Parquet"
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"cannot be read as Parquet ({_first_line(error)})") from None


def parquet_parts(stream: BinaryIO, rows: int) -> Iterator[pa.Table]:
    """Read Parquet so many rows at a time."""
    file = _open_parquet(stream)
    try:
        for batch in file.iter_batches(rows):
            yield _without_index(pa.Table.from_batches([batch]))
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"cannot be read as Parquet ({_first_line(error)})") from None


def _open_parquet(stream: BinaryIO) -> parquet.ParquetFile:
    try:
        # Parts of it are read: pre_buffer would keep them all, and without buffer_size a column of
        # a row group is read at once.
        source = pa.PythonFile(stream, mode="r")
        file = parquet.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"cannot be read as Parquet ({_first_line(error)})") from None
    check_names(file.schema_arrow.names)
    _refuse_nested([f.name for f in file.schema_arrow if pa.types.is_nested(f.type)])
    return file


def _without_index(table: pa.Table) -> pa.Table:
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    return table.drop_columns(index)  # pandas wrote row numbers


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return `table` as pandas has it; a whole number beside a missing one becomes a fraction."""
    fields = [field.with_type(_simple(field.type)) for field in table.schema]
    return table.cast(pa.schema(fields)).to_pandas(
        ignore_metadata=True, date_as_object=False, split_blocks=True, self_destruct=True
    )


def _simple(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.large_string()  # some programs do not mark their texts as such
    return kind


def _excel(stream: BinaryIO, missing: Sequence[str]) -> tuple[pd.DataFrame, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl tells of styles and menus that it leaves out
        try:
            with pd.ExcelFile(stream, engine="openpyxl") as book:
                sheets = book.sheet_names
                cells = book.parse(0, header=None, dtype=object, keep_default_na=False)
        except (*DAMAGED, KeyError, ValueError, OSError) as error:
            raise UnreadableError(f"cannot be read as Excel ({_first_line(error)})") from None
    cells = cells.mask(cells.isin([*MISSING, *missing]))
    cells = cells.dropna(how="all").dropna(how="all", axis="columns")
    if cells.empty:
        raise UnreadableError(f'has an empty first sheet "{sheets[0]}"')
    header = labels(cells.iloc[0].astype(object)).fillna("")
    frame = cells.iloc[1:].reset_index(drop=True).set_axis(check_names(header), axis="columns")
    others = f', the first of {len(sheets)}: the others are "{", ".join(map(str, sheets[1:]))}"'
    return frame, f'Excel sheet "{sheets[0]}"{others if len(sheets) > 1 else ""}'


def _json(stream: BinaryIO, missing: Sequence[str]) -> tuple[pd.DataFrame, str]:
    text = TextIOWrapper(stream, encoding="utf-8-sig")
    try:
        start = text.read(1 << 16).lstrip()[:1]
        text.seek(0)
        if start == "[":
            batches, note = [_objects(json.load(text, object_pairs_hook=_object))], "JSON array"
        else:
            batches, note = _json_lines(text), "JSON lines"
    except UnicodeDecodeError as error:
        raise UnreadableError(f"is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise UnreadableError(f"is damaged or cut off in line {error.lineno} ({error})") from None
    finally:
        text.detach()
    frame = pd.concat([plain(batch) for batch in batches], ignore_index=True)
    return frame.set_axis(check_names(frame.columns), axis="columns"), note


def _json_lines(text: Iterable[str]) -> list[pd.DataFrame]:
    batches = []
    lines = enumerate(text, start=1)
    while numbered := list(islice(lines, BATCH)):
        rows = []
        for number, line in numbered:
            try:
                if line.strip():
                    rows.append(json.loads(line, object_pairs_hook=_object))
            except json.JSONDecodeError as error:
                reason = f"is damaged or cut off in line {number:,} ({error.msg})"
                raise UnreadableError(reason) from None
        batches.append(_objects(rows))
    return batches


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    check_names([name for name, _ in pairs])
    return dict(pairs)


def _objects(rows: list[Any]) -> pd.DataFrame:
    wrong = next((row for row in rows if not isinstance(row, dict)), None)
    if wrong is not None:
        raise UnreadableError(f"must hold one object for each row, but has {json.dumps(wrong):.40}")
    frame = pd.DataFrame(rows)
    mixed = [name for name in frame if frame[name].dtype == object]
    _refuse_nested([n for n in mixed if frame[n].map(lambda v: isinstance(v, dict | list)).any()])
    return frame


def _refuse_nested(names: Sequence[str]) -> None:
    if names:
        raise UnreadableError(
            f'has lists or objects in column "{names[0]}"; each cell must be one value'
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


READERS: dict[str, Callable[[BinaryIO, Sequence[str]], tuple[pd.DataFrame, str]]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".txt": _csv,
    ".parquet": _parquet,
    ".xlsx": _excel,
    ".xlsm": _excel,
    ".json": _json,
    ".jsonl": _json,
    ".ndjson": _json,
}
