"""Tells a caller what is wrong with a body: the row, the field, and the reason in a sentence.

For each mistake the detail of the refusal has ``row`` (counted from 0), ``field`` and ``reason``;
row and field are None where the mistake belongs to none.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ...problem.columns import LARGEST, Column
from .reply import Refusal

MOST_REASONS = 100  # a caller who got everything wrong learns no more from ten thousand
MOST_NAMES = 30
LONG = 60  # characters of a wrong value or name that are repeated

ROWS = '{"rows": [...]}'
FEEDBACK = '{"id": ..., "actual": ...}'
EXPECTED = {
    "number": "a number",
    "category": "a text, a number or true or false",
    "date": "a date written as text",
    "text": "a text",
}


def wrong(reason: str, field: str | None = None, row: int | None = None) -> Refusal:
    """Return the error for one mistake."""
    return Refusal(422, [_detail(reason, field, row)])


def wrong_values(expected: str, field: str, rows: Sequence[int], values: Sequence[Any]) -> Refusal:
    """Return the error for values of one field, each in its row."""
    pairs = list(zip(rows, values, strict=True))[:MOST_REASONS]
    return Refusal(
        422,
        [_detail(f"must be {expected}, got {shown(value)}", field, row) for row, value in pairs],
    )


def all_errors(
    error: ValidationError, content: Any, lists: Mapping[str, type[BaseModel]]
) -> list[ErrorDetails]:
    """Return what is wrong with a body, of which pydantic checked rows until the first bad one.

    Parameters
    ----------
    error
        What pydantic found.
    content
        Of the body.
    lists
        The names of its lists, and what their rows have to be.
    """
    found = error.errors(include_url=False)
    for name, model in lists.items():
        places = [one["loc"] for one in found if one["loc"][:1] == (name,)]
        bad = max((int(place[1]) for place in places if len(place) > 1), default=None)
        for row in () if bad is None else range(bad + 1, len(content[name])):
            if len(found) >= MOST_REASONS:
                break
            try:
                model.model_validate(content[name][row])
            except ValidationError as mistakes:
                for one in mistakes.errors(include_url=False):
                    found.append({**one, "loc": (name, row, *one["loc"])})
    return found[:MOST_REASONS]


def wrong_rows(found: list[ErrorDetails], columns: list[Column], most: int) -> Refusal:
    """Say what pydantic found wrong with the body of ``POST /predict``.

    Parameters
    ----------
    found
        What it found.
    columns
        The inputs of the model.
    most
        How many rows are allowed.
    """
    kinds = {column.name: column.kind for column in columns}
    return Refusal(422, [_explain(one, kinds, most) for one in found])


def wrong_feedback(error: ValidationError) -> Refusal:
    """Say what pydantic found wrong with the body of ``POST /feedback``."""
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return wrong(f"the body must be {FEEDBACK}, got {shown(first['input'])}")
    name = str(first["loc"][0])[:LONG]
    if first["type"] == "missing":
        return wrong(f"is missing; the body must be {FEEDBACK}", name)
    if first["type"] == "extra_forbidden":
        return wrong(f"is not known; the body must be {FEEDBACK}", name)
    expected = EXPECTED["text"] if name == "id" else EXPECTED["category"]
    return wrong(f"must be {expected}, got {shown(first['input'])}", name)


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONG else f"{text[:LONG]}…"


def _explain(error: ErrorDetails, kinds: dict[str, Any], most: int) -> dict[str, Any]:
    value = error["input"]
    match error["loc"]:
        case ("rows", int(row), str(field), *_):
            return _detail(_field_reason(error["type"], field, value, kinds), field[:LONG], row)
        case ("rows", int(row)):
            reason = f"must be an object with a field for each column, got {shown(value)}"
            return _detail(reason, None, row)
        case ("rows",) if error["type"] != "missing":
            found = f"{len(value):,} rows" if isinstance(value, list) else shown(value)
            return _detail(f"must be a list of 1 to {most:,} rows, got {found}", "rows", None)
        case (str(field),):
            state = "missing" if error["type"] == "missing" else "not known"
            return _detail(f"is {state}; the body must be {ROWS}", field[:LONG], None)
    return _detail(f"the body must be {ROWS}, got {shown(value)}", None, None)


def _field_reason(problem: str, field: str, value: Any, kinds: dict[str, Any]) -> str:
    if problem == "extra_forbidden":
        close = difflib.get_close_matches(field[:LONG], kinds, n=1)
        names = ", ".join(list(kinds)[:MOST_NAMES])
        more = f" and {len(kinds) - MOST_NAMES} more" if len(kinds) > MOST_NAMES else ""
        hint = f'did you mean "{close[0]}"?' if close else f"the model knows {names}{more}"
        return f"is not a column of the model; {hint}"
    if problem == "missing":
        return "is missing; give a value, or null where it is not known"
    if problem in ("finite_number", "greater_than_equal", "less_than_equal"):
        return f"must be a number from {-LARGEST:g} to {LARGEST:g}, got {shown(value)}"
    return f"must be {EXPECTED[kinds[field]]}, got {shown(value)}"


def _detail(reason: str, field: str | None, row: int | None) -> dict[str, Any]:
    return {"row": row, "field": field, "reason": reason}
