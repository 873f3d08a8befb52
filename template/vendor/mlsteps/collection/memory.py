"""Whether a frame would fit into the memory that there is, and rows that need not all fit."""

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from tqdm import tqdm

from ..errors import UserError
from ..files import read_frame

LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of a container, in either way of Linux
ROOM = 4  # how much more than the frame the steps take
GIGA = 1e9


def read_whole(path: Path) -> pd.DataFrame:
    """Read a Parquet file, unless its frame alone would surely be more than the free memory."""
    few, rows, size, free = _measure(path)
    if few:
        raise UserError(
            f"{path} has {rows:,} rows, which take about {size / GIGA:,.1f} GB of memory, but "
            f"{free / GIGA:,.1f} GB are free; set [split] sample_rows, to {few:,} say, to learn "
            "from about so many of them."
        )
    return read_frame(path)


def rows_that_fit(path: Path) -> int:
    """Return how many rows of a Parquet file memory holds beside what steps do; 0 if it holds all.

    They are all unless their frame alone would surely be more than the free memory.
    """
    return _measure(path)[0]


def row_groups(
    file: parquet.ParquetFile, what: str, columns: Sequence[str]
) -> Iterator[tuple[int, pa.Table]]:
    """Yield row groups, each with the number of its first row, and show how far it is."""
    first = 0
    bar = {"unit": " rows", "unit_scale": True, "disable": None, "leave": False}
    with tqdm(desc=what, total=file.metadata.num_rows, **bar) as shown:
        for k in range(file.num_row_groups):  # iter_batches keeps what it has read
            table = file.read_row_group(k, columns)
            yield first, table
            first += len(table)
            shown.update(len(table))


def _measure(path: Path) -> tuple[int, int, float, float]:
    """Return how many rows fit, how many there are, their bytes, and those that are free."""
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        groups, rows = file.num_row_groups, file.metadata.num_rows
        if groups < 2:
            return 0, rows, 0.0, math.inf
        some = (file.read_row_group(k) for k in {0, groups // 2})
        row = min(table.nbytes / len(table) for table in some)
    free = free_memory()
    if rows * row <= free:
        return 0, rows, rows * row, free
    few = int(free / row / ROOM)
    few -= few % 10 ** (len(str(few)) - 1)  # one digit, as it is a guess
    return max(few, 1), rows, rows * row, free


def free_memory() -> float:
    """Return the most bytes that a process may still take here; infinity where nothing tells."""
    found = [math.inf]
    info = Path("/proc/meminfo")
    if info.is_file():
        lines = (line.split() for line in info.read_text(encoding="ascii").splitlines())
        sizes = {line[0]: int(line[1]) * 1024 for line in lines}
        found.append(sizes.get("MemAvailable:", math.inf) + sizes.get("SwapFree:", 0))
    elif "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):  # macOS: all that there is
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in LIMITS:
        limit = Path("/sys/fs/cgroup") / name
        text = limit.read_text(encoding="ascii").strip() if limit.is_file() else "max"
        found.append(math.inf if text == "max" else int(text))
    return min(found)
