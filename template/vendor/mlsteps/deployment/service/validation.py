"""Checks the rows of a request against the columns that the model was trained on.

For each mistake the detail of the response has ``row`` (counted from 0), ``field`` and ``reason``;
row and field are None where the mistake belongs to none.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from math import isfinite
from typing import Annotated, Any, NotRequired

import pandas as pd
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict  # Python 3.11 lacks what pydantic needs

from ...problem.columns import LARGEST, Column, label
from ...problem.numbers import parse
from .responses import RequestError

MOST_REASONS = 100  # a caller who got everything wrong learns no more from ten thousand
LONG = 60  # characters of a wrong value or name that are repeated
EXPECTED = {
    "number": "a number",
    "category": "a text, a number or true or false",
    "date": "a date written as text",
    "text": "a text",
}
RANGE = f"a number from {-LARGEST:g} to {LARGEST:g}"
OUT_OF_RANGE = ("finite_number", "greater_than_equal", "less_than_equal")  # errors of pydantic
Detail = dict[str, Any]


class RowList:
    """A list of rows in the body of a request; `json_schema` is that of a row, for OpenAPI.

    `ignored` names columns that may be given and are not used, `missing` texts and numbers that
    stand for a missing value.
    """

    def __init__(
        self,
        name: str,
        columns: Sequence[Column],
        ignored: Iterable[str],
        missing: Iterable[str],
        *,
        min_rows: int,
        max_rows: int,
    ) -> None:
        self._name = name
        self._kinds = {column.name: column.kind for column in columns}
        self._known = self._kinds.keys() | set(ignored)
        self._least, self._most = min_rows, max_rows
        marks = _marks(missing)
        row: Any = TypedDict("Row", {c.name: _type(c, marks) for c in columns})  # type: ignore[misc]
        self._row: TypeAdapter[Any] = TypeAdapter(row)
        self._rows: TypeAdapter[Any] = TypeAdapter(Annotated[list[row], Field(fail_fast=True)])
        self._absent = dict.fromkeys(self._kinds)
        self.json_schema = {**self._row.json_schema(), "additionalProperties": False}

    def check(self, rows: Any) -> list[dict[str, Any]]:
        """Return the rows with every column, None where a value is missing."""
        if not isinstance(rows, list) or not self._least <= len(rows) <= self._most:
            found = f"{len(rows):,} rows" if isinstance(rows, list) else shown(rows)
            size = f"{self._least} to {self._most:,}" if self._least else f"at most {self._most:,}"
            raise invalid(f"must be a list of {size} rows, got {found}", self._name)
        with suppress(ValidationError):
            checked = self._rows.validate_python(rows)
            if all(self._known >= row.keys() for row in rows):
                return [self._absent | row for row in checked]
        mistakes = (one for number, row in enumerate(rows) for one in self._mistakes(number, row))
        raise RequestError(422, list(islice(mistakes, MOST_REASONS)))

    def _mistakes(self, number: int, row: Any) -> Iterator[Detail]:
        if not isinstance(row, dict):
            reason = f"must be an object with a field for each column, got {shown(row)}"
            yield _detail(reason, None, number)
            return
        try:
            self._row.validate_python(row)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                field = str(one["loc"][0])
                expected = RANGE if one["type"] in OUT_OF_RANGE else EXPECTED[self._kinds[field]]
                reason = f"must be {expected}, got {shown(one['input'])}"
                if one["type"] == "missing":
                    reason = "is missing; give a value, or null where it is not known"
                yield _detail(reason, field, number)
        for name in row:
            if name not in self._known:
                close = difflib.get_close_matches(name[:LONG], self._kinds, n=1)
                advice = f'did you mean "{close[0]}"?' if close else "GET /model names them"
                yield _detail(f"is not a column of the model; {advice}", name[:LONG], number)


def read_object(body: bytes, form: str, required: Iterable[str], known: Iterable[str]) -> Any:
    """Read a JSON object that has some fields and no others; a wrong one is shown `form`."""
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise invalid(f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise invalid(f"the body must be {form}, got {shown(content)}")
    for name in required:
        if name not in content:
            raise invalid(f"is missing; the body must be {form}", name)
    for name in content:
        if name not in known:
            raise invalid(f"is not known; the body must be {form}", name[:LONG])
    return content


def invalid(reason: str, field: str | None = None, row: int | None = None) -> RequestError:
    """Return the error for one mistake."""
    return RequestError(422, [_detail(reason, field, row)])


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONG else f"{text[:LONG]}…"


def _detail(reason: str, field: str | None, row: int | None) -> Detail:
    return {"row": row, "field": field, "reason": reason}


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):  # pydantic takes true for 1, and wants a ValueError
        raise ValueError("must be a number")  # noqa: TRY004
    return value


def _label(value: Any) -> Any:
    """Write a label as training does; pydantic refuses what is none."""
    return label(value) if isinstance(value, str | bool | int | float) else value


NUMBER = Annotated[
    float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST), BeforeValidator(_no_bool)
]
LABEL = Annotated[str, BeforeValidator(_label, json_schema_input_type=str | float | bool)]
DATE = Annotated[str, BeforeValidator(_label, json_schema_input_type=str | int)]  # a year: 1980
TYPES: dict[str, Any] = {"number": NUMBER, "category": LABEL, "date": DATE, "text": str}


def _type(column: Column, marks: set[str | float]) -> Any:
    """Return the type of a field, with its description."""

    def normalise(value: Any) -> Any:
        if isinstance(value, str):
            return None if value.strip() in marks else value
        return None if type(value) in (int, float) and value in marks else value

    def number(value: Any) -> Any:
        found = parse(pd.Series([value]), column.written)[0] if isinstance(value, str) else value
        return found if isinstance(found, float) and isfinite(found) else value

    written = column.date_format and f", written {column.date_format} or as ISO 8601"
    unit = column.unit and f" in {column.unit}, or a text that ends with it"
    shows = Field(description=f"A {column.kind}{written}{unit}.", examples=[column.example])
    kind: Any = TYPES[column.kind]
    if column.kind == "number" and column.written:
        accepts = float | str if column.unit else float
        kind = Annotated[kind, BeforeValidator(number, json_schema_input_type=accepts)]
    kind = Annotated[kind | None, shows]
    if marks:
        kind = Annotated[kind, BeforeValidator(normalise)]
    return kind if column.required else NotRequired[kind]


def _marks(missing: Iterable[str]) -> set[str | float]:
    """Return the values that stand for a missing one, those that are numbers also as numbers."""
    marks: set[str | float] = set(missing)
    for mark in missing:
        with suppress(ValueError):
            marks.add(float(mark))
    return marks
