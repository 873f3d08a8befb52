"""A project on disk: its definition and where its files are."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .definition import FILE_NAME, Definition, read_definition

ROWS, SIGN = "data.parquet", b"decimal"  # of the collected rows, and in the file's metadata


@dataclass(frozen=True)
class Project:
    """A project on disk; every step reads and writes below its root.

    Parameters
    ----------
    root : Path
        The folder with project.toml.
    definition : Definition
        Its content.

    Examples
    --------
    >>> open_project().reports.relative_to(Path.cwd()).as_posix()  # doctest: +SKIP
    'reports'
    """

    root: Path
    definition: Definition

    @property
    def raw(self) -> Path:
        """The rows as collected."""
        return self.root / "data/raw"

    def collected(self) -> Definition:
        """Return the definition, with the decimal sign that the collected rows had."""
        from pyarrow import parquet  # takes time to load, and not every command needs it

        path = self.raw / ROWS
        about = parquet.read_metadata(path).metadata if path.is_file() else {}
        return self.definition.with_decimal((about or {}).get(SIGN, b"").decode())

    @property
    def prepared(self) -> Path:
        """Training and test rows, and the schema."""
        return self.root / "data/prepared"

    @property
    def models(self) -> Path:
        """A folder for each version, and the name of the champion."""
        return self.root / "models"

    @property
    def reports(self) -> Path:
        """The cards and pages of the report, and metrics.json."""
        return self.root / "reports"


def open_project(folder: Path | None = None) -> Project:
    """Open the project in a folder, or in the nearest folder above with a project.toml.

    Parameters
    ----------
    folder : Path, optional
        The working directory if it is not given.

    Returns
    -------
    Project

    Raises
    ------
    UserError
        If there is none, or its definition is not valid.

    Examples
    --------
    >>> project = open_project(Path("churn"))  # doctest: +SKIP
    >>> project.definition.problem.target  # doctest: +SKIP
    'status'
    """
    start = (folder or Path.cwd()).resolve()
    for root in (start, *start.parents):
        if (root / FILE_NAME).is_file():
            return Project(root, read_definition(root / FILE_NAME))
    raise UserError(f"No {FILE_NAME} in {start} or above it; run this inside a project.")
