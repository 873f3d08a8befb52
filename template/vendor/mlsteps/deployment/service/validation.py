"""Checks the rows of a request against the columns that the model was trained on.

For each mistake the detail of the response has ``row`` (counted from 0), ``field`` and ``reason``;
row and field are None where the mistake belongs to none.
"""

import difflib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any, NotRequired

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import from_json
from typing_extensions import TypedDict  # Python 3.11 lacks what pydantic needs

from ...problem.columns import LARGEST, SHOWN_CATEGORIES, Column, label
from .responses import RequestError

MOST_REASONS = 100  # a caller who got everything wrong learns no more from ten thousand
MOST_NAMES = 30
LONG = 60  # characters of a wrong value or name that are repeated
EXPECTED = {
    "number": "a number",
    "category": "a text, a number or true or false",
    "date": "a date written as text",
    "text": "a text",
}
Detail = dict[str, Any]


class RowList:
    """A list of rows in the body of a request.

    Parameters
    ----------
    name
        Of the list in the body.
    columns
        What a row may have.
    ignored
        Names of columns that may be given and are not used.
    missing
        Texts and numbers that stand for a missing value, as in the files.
    min_rows, max_rows
        How many rows there may be.

    Attributes
    ----------
    json_schema
        Of a row, for OpenAPI.
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
        self._limits = (min_rows, max_rows)
        normalise = _normalise(missing)
        row: Any = TypedDict("Row", {c.name: _type(c, normalise) for c in columns})  # type: ignore[misc]
        self._row: TypeAdapter[Any] = TypeAdapter(row)
        self._rows: TypeAdapter[Any] = TypeAdapter(Annotated[list[row], Field(fail_fast=True)])
        self._absent = dict.fromkeys(self._kinds)
        self.json_schema = {**self._row.json_schema(), "additionalProperties": False}

    def check(self, rows: Any) -> list[dict[str, Any]]:
        """Return the rows with every column, None where a value is missing."""
        self._check_size(rows)
        try:
            checked = self._rows.validate_python(rows)
            if all(self._known >= row.keys() for row in rows):
                return [self._absent | row for row in checked]
        except ValidationError:
            pass
        details: list[Detail] = []
        for number, row in enumerate(rows):
            details += self._mistakes(number, row)
            if len(details) >= MOST_REASONS:
                break
        raise RequestError(422, details[:MOST_REASONS])

    def _check_size(self, rows: Any) -> None:
        least, most = self._limits
        if isinstance(rows, list) and least <= len(rows) <= most:
            return
        found = f"{len(rows):,} rows" if isinstance(rows, list) else shown(rows)
        too_many = isinstance(rows, list) and len(rows) > most
        size = f"at most {most:,}" if too_many or not least else f"{least} to {most:,}"
        raise invalid(f"must be a list of {size} rows, got {found}", self._name)

    def _mistakes(self, number: int, row: Any) -> list[Detail]:
        if not isinstance(row, dict):
            reason = f"must be an object with a field for each column, got {shown(row)}"
            return [_detail(reason, None, number)]
        found = []
        try:
            self._row.validate_python(row)
        except ValidationError as error:
            for one in error.errors(include_url=False)[:MOST_REASONS]:
                field = str(one["loc"][0])
                found.append(_detail(self._reason(one["type"], field, one["input"]), field, number))
        unknown = [name for name in row if name not in self._known][:MOST_REASONS]
        return found + [_detail(self._unknown(name), name[:LONG], number) for name in unknown]

    def _reason(self, problem: str, field: str, value: Any) -> str:
        if problem == "missing":
            return "is missing; give a value, or null where it is not known"
        if problem in ("finite_number", "greater_than_equal", "less_than_equal"):
            return f"must be a number from {-LARGEST:g} to {LARGEST:g}, got {shown(value)}"
        return f"must be {EXPECTED[self._kinds[field]]}, got {shown(value)}"

    def _unknown(self, name: str) -> str:
        close = difflib.get_close_matches(name[:LONG], self._kinds, n=1)
        names = ", ".join(list(self._kinds)[:MOST_NAMES])
        more = len(self._kinds) - MOST_NAMES
        known = f"the model knows {names}" + (f" and {more} more" if more > 0 else "")
        return "is not a column of the model; " + (
            f'did you mean "{close[0]}"?' if close else known
        )


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


def invalid_values(
    expected: str, field: str, rows: Sequence[int], values: Sequence[Any]
) -> RequestError:
    """Return the error for values of one field, each in its row."""
    pairs = list(zip(rows, values, strict=True))[:MOST_REASONS]
    return RequestError(
        422,
        [_detail(f"must be {expected}, got {shown(value)}", field, row) for row, value in pairs],
    )


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONG else f"{text[:LONG]}…"


def _detail(reason: str, field: str | None, row: int | None) -> Detail:
    return {"row": row, "field": field, "reason": reason}


def _type(column: Column, normalise: Callable[[Any], Any]) -> Any:
    """Return the type of a field, with its description."""
    shows = Field(
        title=column.name,
        description=_description(column),
        examples=[] if column.example is None else [column.example],
    )
    kind: Any = Annotated[str | None, BeforeValidator(normalise), shows]
    if column.kind == "number":
        finite = Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)
        number = Annotated[float, finite, BeforeValidator(_no_bool)]
        kind = Annotated[number | None, BeforeValidator(normalise), shows]
    elif column.kind == "category":
        kind = Annotated[
            str | None,
            BeforeValidator(_label, json_schema_input_type=str | float | bool | None),
            BeforeValidator(normalise, json_schema_input_type=str | float | bool | None),
            shows,
        ]
    elif column.kind == "date" and not column.date_format:
        iso = [{"type": "string", "format": name} for name in ("date", "date-time")]
        kind = Annotated[kind, WithJsonSchema({"anyOf": [*iso, {"type": "null"}]}), shows]
    return kind if column.required else NotRequired[kind]


def _description(column: Column) -> str:
    if column.minimum is not None and column.maximum is not None:
        return f"A number; {column.minimum:g} to {column.maximum:g} in training."
    if column.categories:
        more = " and more" if len(column.categories) > SHOWN_CATEGORIES else ""
        return f"A category; in training {', '.join(column.categories[:SHOWN_CATEGORIES])}{more}."
    if column.kind == "date":
        own = f"written {column.date_format} or " if column.date_format else ""
        return f"A date, {own}as ISO 8601."
    return f"A {column.kind}."


def _normalise(missing: Iterable[str]) -> Callable[[Any], Any]:
    """Return what makes None of values that stand for a missing one."""
    marks: set[str | float] = set(missing)
    for mark in list(marks):
        with suppress(ValueError):
            marks.add(float(mark))

    def normalise(value: Any) -> Any:
        if isinstance(value, str):
            return None if value.strip() in marks else value
        return None if type(value) in (int, float) and value in marks else value

    return normalise


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):  # pydantic takes true for 1, and wants a ValueError
        raise ValueError("must be a number")  # noqa: TRY004
    return value


def _label(value: Any) -> Any:
    """Write a label as training does; pydantic refuses what is none."""
    return label(value) if isinstance(value, str | bool | int | float) else value
