"""What became of each version and why: models/history.jsonl, a line for each decision."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import write_text

FILE = "history.jsonl"

Line = dict[str, Any]


def new_line(event: str, champion: str, other: str | None, reason: str, **figures: float) -> Line:
    """Return a line."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    line = {"at": now, "event": event, "champion": champion, "other": other, "reason": reason}
    return line | {k: v if math.isfinite(v) else None for k, v in figures.items()}


def read_history(models: Path) -> list[Line]:
    """Return all lines, the oldest first."""
    path = models / FILE
    if not path.is_file():
        return []
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            lines.append({"event": "", "champion": None, "other": None, **json.loads(text)})
        except (ValueError, TypeError):
            raise UserError(
                f"{path} has no JSON in line {number}; correct the line, or delete it."
            ) from None
    return lines


def add_line(models: Path, line: Line) -> None:
    """Add a line if it is not there; the file is whole at every moment."""
    if line in read_history(models):
        return
    path = models / FILE
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    write_text(path, before + json.dumps(line, ensure_ascii=False) + "\n")
