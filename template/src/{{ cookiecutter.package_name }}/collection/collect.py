"""Write the rows as they came to data/raw, with their provenance beside them."""

from datetime import UTC, datetime

import pandas as pd

from .. import report
from ..errors import UserError
from ..files import file_digest, read_frame, replacing, write_json
from ..problem.project import Project
from . import read
from .labelled import join
from .provenance import Collection, without_secrets

ROWS = "data.parquet"
LABELLED = "labelled.parquet"  # rows whose truth came back after deployment; step 8 adds them
PROVENANCE = "provenance.json"


def collect(project: Project) -> str:
    """Read the source and store its rows, their provenance and a card for the report.

    Returns
    -------
    str
        What was collected, in one line.

    Raises
    ------
    UserError
        If the source cannot be read.
    """
    collection = read(project.definition.data, project.root)
    frame = collection.frame
    with replacing(project.raw / ROWS) as temporary:
        frame.to_parquet(temporary, index=False)
    source = without_secrets(project.definition.data.path)
    write_json(
        project.raw / PROVENANCE,
        {
            "source": source,
            "collected_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": len(frame),
            "columns": {name: str(dtype) for name, dtype in frame.dtypes.items()},
            "sources": [vars(part) for part in collection.sources],
            "sha256": file_digest(project.raw / ROWS),
        },
    )
    summary = f"{len(frame):,} rows and {frame.shape[1]:,} columns from {source}"
    _write_card(project, collection, summary)
    return summary


def read_raw(project: Project) -> pd.DataFrame:
    """Return the collected rows, then those whose truth came back after deployment.

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


def _write_card(project: Project, collection: Collection, summary: str) -> None:
    frame = collection.frame
    sources = [
        {"source": s.name, "rows": s.rows, "read as": s.note, "SHA-256": s.sha256}
        for s in collection.sources
    ]
    columns = [
        {
            "column": name,
            "stored as": str(values.dtype),
            "missing, %": 100 * values.isna().mean(),
            "first value": str(values.iloc[0])[:60] if values.notna().iloc[0] else None,
        }
        for name, values in frame.items()
    ]
    report.write_card(
        project.reports,
        "collect",
        summary,
        report.facts(
            {
                "rows": len(frame),
                "columns": frame.shape[1],
                "sources": len(sources),
                "cells missing": f"{frame.isna().mean().mean():.1%}",
            }
        ),
        report.table(sources, "Where the rows came from"),
        report.details("Columns as collected", report.table(columns, "Columns as collected")),
    )
