"""What a sample of the collected rows is, and what it does not tell of the others."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import report
from ..files import read_json, write_json
from .definition import Definition

FOLDER = "sample"  # in data/raw
ALL_ROWS = "all_rows"  # the candidate that learns from the rows outside of it as well
ABOUT = "sample.json"  # beside its rows, and beside what was prepared of them


@dataclass(frozen=True)
class Sample:
    """Rows that were chosen of all that were collected."""

    key: str  # a digest of what decides which they are
    rows: int
    collected: int
    chosen_by: str  # what of a row is hashed
    cut: int  # rows are chosen whose hash is not above it
    columns: list[dict[str, Any]]  # what is known of each, in all rows and in these
    doubts: list[str]  # sentences on where these do not tell the same as all

    def sentences(self) -> list[str]:
        """Say how many of the rows these are, and what they do not tell."""
        return [f"What is known is from {said_of(self.record())}.", *self.doubts]

    def section(self) -> str:
        """Return what the report shows of all rows and of these."""
        title = f"All {self.collected:,} rows, and the {self.rows:,} of the sample"
        return report.details(title, report.table(self.columns, title))

    def record(self) -> dict[str, Any]:
        """Return what is kept of it with a version."""
        return {name: getattr(self, name) for name in ("rows", "collected", "chosen_by")}


def said_of(record: dict[str, Any]) -> str:
    """Say which rows a sample has, from its record."""
    rows = f"{record['rows']:,} of {record['collected']:,} rows"
    return f"{rows}, chosen by a hash of {record['chosen_by']} ([split] sample_rows)"


def hashed_columns(definition: Definition) -> tuple[list[str], str]:
    """Return the columns whose values are chosen as a whole, and their name; none for rows."""
    columns = definition.columns
    if definition.problem.of_series:
        return columns.series_names(), "the series"
    return ([columns.group], f'the group "{columns.group}"') if columns.group else ([], "the row")


def read_sample(folder: Path) -> Sample | None:
    """Return the sample whose rows, or what was prepared of them, are in a folder; else None."""
    path = folder / ABOUT
    return Sample(**read_json(path)) if path.is_file() else None


def write_sample(folder: Path, sample: Sample | None) -> None:
    """Note in a folder which sample its rows are of."""
    if sample:
        write_json(folder / ABOUT, asdict(sample))
    else:
        (folder / ABOUT).unlink(missing_ok=True)
