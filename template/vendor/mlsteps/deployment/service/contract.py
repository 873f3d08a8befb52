"""What a request may hold: rows are checked against the columns that the model was trained on."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import from_json

from ...preparation.schema import Schema
from ...problem.columns import LARGEST, MOST_CATEGORIES, SHOWN_CATEGORIES, Column, convert, label
from .tidy import Tidy
from .wrong_input import all_errors, shown, wrong, wrong_feedback, wrong_rows

TEXT = pd.Series(dtype="str").dtype  # looking it up by name takes as long as a column


class Feedback(BaseModel):
    """The body of ``POST /feedback``: what a prediction turned out to be."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    id: str = Field(description="The id that came with the prediction.")
    actual: str | bool | int | float = Field(description="What it really was.")


class Contract:
    """What one version of the model may be asked, and told.

    Parameters
    ----------
    schema
        Of the version.
    max_rows
        In one request.
    missing
        Texts and numbers that stand for a missing value, as in the files.

    Attributes
    ----------
    body
        The pydantic model of the body of ``POST /predict``.
    classes
        What a prediction may turn out to be; empty if that is a number.
    """

    def __init__(self, schema: Schema, max_rows: int, missing: Sequence[str] = ()) -> None:
        self._row = row_model("Row", schema.inputs)
        self.body = _body(self._row, schema.inputs, max_rows)
        self.classes: list[str] = schema.decision.get("classes", [])
        self._inputs = schema.inputs
        self._columns = pd.Index([column.name for column in schema.inputs])
        self._numbers = [column.name for column in schema.inputs if column.kind == "number"]
        self._max_rows = max_rows
        self._tidy = Tidy(self._columns, schema.ignored, missing, max_rows)
        self._seen = {
            column.name: frozenset(column.categories)
            for column in schema.inputs
            if column.kind == "category" and len(column.categories) < MOST_CATEGORIES
        }

    def rows(self, body: bytes) -> list[dict[str, Any]]:
        """Read the rows of a request; each has every input, None where it is missing.

        Raises
        ------
        Refusal
            If the body is not JSON or a row does not fit the model's columns.
        """
        content = self._tidy.list_in(read_body(body), "rows")
        try:
            checked: Any = self.body.model_validate(content)
        except ValidationError as error:
            found = all_errors(error, content, {"rows": self._row})
            raise wrong_rows(found, self._inputs, self._max_rows) from None
        return [row.model_dump(by_alias=True) for row in checked.rows]

    def frame(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        """Return checked rows as the schema's `conform` would, which looks at any table.

        Raises
        ------
        ConversionError
            If a text is no date.
        """
        names = self._numbers
        numbers = np.array([[row[name] for name in names] for row in rows], dtype="float64")
        if len(names) == len(self._inputs):
            return pd.DataFrame(numbers, columns=self._columns, copy=False)
        given = iter(numbers.T)
        columns = [
            next(given)
            if column.kind == "number"
            else _texts(column, [row[column.name] for row in rows])
            for column in self._inputs
        ]
        frame = pd.DataFrame(dict(enumerate(columns)), copy=False)
        frame.columns = self._columns  # one index for all frames knows where each name is
        return frame

    def warnings(self, row: dict[str, Any]) -> list[str]:
        """Say what about a checked row training never saw."""
        found = []
        for column in self._inputs:
            value = row[column.name]
            if value is None:
                if column.required:
                    found.append(f"{column.name} is missing, but training always had it")
            elif column.name in self._seen and value not in self._seen[column.name]:
                found.append(f"{column.name} is {shown(value)}, which training never saw")
        return found

    def feedback(self, body: bytes) -> tuple[str, str | float]:
        """Read a prediction's id and what it really was.

        Raises
        ------
        Refusal
            If the body is not JSON or does not fit.
        """
        return read_feedback(body, self.classes)


def read_feedback(body: bytes, classes: list[str]) -> tuple[str, str | float]:
    """Read a prediction's id and what it really was: one of `classes`, or a number if none.

    Raises
    ------
    Refusal
        If the body is not JSON or does not fit.
    """
    try:
        feedback = Feedback.model_validate(read_body(body))
    except ValidationError as error:
        raise wrong_feedback(error) from None
    given = feedback.actual
    actual = _label(given) if classes else _number(given)
    if actual is None or (classes and actual not in classes):
        expected = f"one of {', '.join(classes)}" if classes else "a number"
        raise wrong(f"must be {expected}, got {shown(given)}", "actual")
    return feedback.id, actual


def read_body(body: bytes) -> Any:
    """Read JSON.

    Raises
    ------
    Refusal
        If it is not JSON, saying where; NaN and Infinity are not JSON.
    """
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise wrong(f"the body is not JSON: {error}") from None


def row_model(name: str, columns: list[Column]) -> type[BaseModel]:
    """Return the pydantic model of a row."""
    # Columns may be called anything, so they are aliases of fields with plain names.
    fields: dict[str, Any] = {
        f"field_{i}": (annotation(column), ... if column.required else None)
        for i, column in enumerate(columns)
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _body(row: type[BaseModel], columns: list[Column], max_rows: int) -> type[BaseModel]:
    # A million mistakes would take more memory than their rows, so the first bad row is the last.
    limits = Field(min_length=1, max_length=max_rows, fail_fast=True)
    rows = Annotated[list[row], limits]  # type: ignore[valid-type]
    example: Any = {"rows": [{column.name: column.example for column in columns}]}
    config = ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})
    return create_model("Rows", __config__=config, rows=(rows, ...))


def annotation(column: Column) -> Any:
    """Return the type of a field, with its description."""
    shows = Field(
        alias=column.name,
        title=column.name,
        description=_description(column),
        examples=[] if column.example is None else [column.example],
    )
    if column.kind == "number":
        finite = Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)
        number = Annotated[float, finite, BeforeValidator(_no_bool)]
        return Annotated[number | None, shows]
    if column.kind == "category":
        takes = str | float | bool | None
        return Annotated[str | None, BeforeValidator(_label, json_schema_input_type=takes), shows]
    if column.kind == "date" and not column.date_format:
        iso = [{"type": "string", "format": name} for name in ("date", "date-time")]
        return Annotated[str | None, WithJsonSchema({"anyOf": [*iso, {"type": "null"}]}), shows]
    return Annotated[str | None, shows]


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


def _texts(column: Column, values: list[str | None]) -> Any:
    """Return values as a column holds them; labels were written as training does before."""
    if column.kind == "category":
        return pd.array(values, dtype=TEXT)
    series = pd.Series(values, dtype="str", name=column.name)
    return convert(series, column.kind, column.date_format)


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):  # pydantic takes true for 1, and asks for a ValueError
        raise ValueError("must be a number")  # noqa: TRY004
    return value


def _label(value: Any) -> Any:
    """Write a label as training does; what is none is left for pydantic to refuse."""
    return label(value) if isinstance(value, str | bool | int | float) else value


def _number(value: Any) -> float | None:
    try:
        number = float(_no_bool(value))
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
