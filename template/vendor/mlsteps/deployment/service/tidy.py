"""Rows as callers send them, before they are checked."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from .wrong_input import MOST_REASONS, wrong


class Tidy:
    """Leaves out of a row what the model ignores, and makes None what stands for a missing value.

    Parameters
    ----------
    known
        Names of the columns that a row may have.
    ignored
        Names of columns that may be given and are not used.
    missing
        Texts and numbers that stand for a missing value, as in the files.
    max_rows
        In one list.
    """

    def __init__(
        self, known: Iterable[str], ignored: Iterable[str], missing: Iterable[str], max_rows: int
    ) -> None:
        self._known = frozenset(known)
        self._ignored = frozenset(ignored) - self._known
        self._max_rows = max_rows
        marks: set[str | float] = set(missing)
        for mark in missing:
            with suppress(ValueError):
                marks.add(float(mark))
        self._marks = frozenset(marks)

    def list_in(self, content: Any, name: str) -> Any:
        """Return the content of a body with the rows of one of its lists made tidy.

        Raises
        ------
        Refusal
            If there are too many.
        """
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            return content  # which is refused, and told why
        rows = content[name]
        if len(rows) > self._max_rows:
            most = f"{self._max_rows:,}"
            raise wrong(f"must be a list of at most {most} rows, got {len(rows):,} rows", name)
        return {**content, name: [self._row(row) for row in rows]}

    def _row(self, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        tidy = {
            name: None if self._marks and self._is_missing(value) else value
            for name, value in row.items()
            if name not in self._ignored
        }
        if len(tidy) > len(self._known) + MOST_REASONS:  # no more mistakes than are told
            for name in [name for name in tidy if name not in self._known][MOST_REASONS:]:
                del tidy[name]
        return tidy

    def _is_missing(self, value: Any) -> bool:
        if isinstance(value, str):
            return value.strip() in self._marks
        return type(value) in (int, float) and value in self._marks
