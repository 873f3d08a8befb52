"""Rows as callers send them, before they are checked."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any


class Tidy:
    """Leaves out of a row what the model ignores, and makes None what stands for a missing value.

    Parameters
    ----------
    ignored
        Names of columns that may be given and are not used.
    missing
        Texts and numbers that stand for a missing value, as in the files.
    """

    def __init__(self, ignored: Iterable[str], missing: Iterable[str]) -> None:
        self._ignored = frozenset(ignored)
        marks: set[str | float] = set(missing)
        for mark in missing:
            with suppress(ValueError):
                marks.add(float(mark))
        self._marks = frozenset(marks)

    def list_in(self, content: Any, name: str) -> Any:
        """Return the content of a body with the rows of one of its lists made tidy."""
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            return content  # which is refused, and told why
        return {**content, name: [self._row(row) for row in content[name]]}

    def _row(self, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {
            name: None if self._marks and self._is_missing(value) else value
            for name, value in row.items()
            if name not in self._ignored
        }

    def _is_missing(self, value: Any) -> bool:
        if isinstance(value, str):
            return value.strip() in self._marks
        return type(value) in (int, float) and value in self._marks
