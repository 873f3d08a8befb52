"""A version of the model behind the endpoints, from the body of a request to its predictions."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from ...modeling.predictor import Predictor, RowPredictor
from ...problem.columns import MOST_CATEGORIES, ConversionError, convert, label
from ...report import counted
from .validation import RowList, invalid, read_object, shown

SCHEMAS = "#/components/schemas/"
FORM = '{"rows": [...]}'
FEEDBACK = '{"id": ..., "actual": ...}'
TEXT = {"type": "string"}
STR = pd.Series(dtype="str").dtype  # looking it up by name takes as long as a column
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Prediction:
    """A row, and what the log and the caller get of its prediction."""

    row: dict[str, Any]
    logged: dict[str, Any]
    shown: dict[str, Any]


class ServedModel(ABC):
    """What a request needs of one version, from its body to its predictions."""

    def __init__(self, predictor: Predictor, max_rows: int, missing: Sequence[str] = ()) -> None:
        self.predictor: Any = predictor
        self.version: str = predictor.version
        self.description: dict[str, Any] = predictor.describe()
        self.classes: list[str] = predictor.schema.decision.get("classes", [])

    @abstractmethod
    def read(self, body: bytes) -> Any:
        """Read the body of ``POST /predict``; the result has a length, in rows."""

    @abstractmethod
    def predict(self, requests: list[Any]) -> list[list[Prediction]]:
        """Return the predictions of each request."""

    def check_explains(self, rows: int, most: int) -> None:
        """Refuse to explain so many rows: each takes some hundred predictions."""
        if rows > most:
            raise invalid(
                f"is for at most {counted(most, 'row')} ([serving] max_explained_rows), got "
                f"{rows}; send fewer, or use `predict --explain`",
                "explain",
            )

    def explain(self, request: Any, predictions: list[Prediction]) -> list[Prediction]:
        """Return the predictions of a request with what the caller gets of their reasons."""
        why = self.predictor.explain(pd.DataFrame(request))
        return [
            replace(one, shown=one.shown | {"explanation": reasons})
            for one, reasons in zip(predictions, why, strict=True)
        ]

    @staticmethod
    @abstractmethod
    def predict_shadow(
        challenger: Any, request: Any, predictions: Mapping[str, Prediction]
    ) -> pd.DataFrame:
        """Return the predictions of a challenger, by the ids of the champion's."""

    @abstractmethod
    def json_schemas(self) -> dict[str, Any]:
        """Return the schema of the body of ``POST /predict``, "Rows", and what it refers to."""

    def read_feedback(self, body: bytes) -> tuple[str, str | float]:
        """Read the id of a prediction and its true label: one of the classes, or a number."""
        names = ("id", "actual")
        content = read_object(body, FEEDBACK, names, names)
        key, given = content["id"], content["actual"]
        if not isinstance(key, str):
            raise invalid(f"must be a text, got {shown(key)}", "id")
        plain = isinstance(given, str | bool | int | float)
        if self.classes and plain and label(given) in self.classes:
            return key, label(given)
        if not self.classes and plain and not isinstance(given, bool):
            with suppress(ValueError, OverflowError):
                if math.isfinite(float(given)):
                    return key, float(given)
        expected = f"one of {', '.join(self.classes)}" if self.classes else "a number"
        raise invalid(f"must be {expected}, got {shown(given)}", "actual")


class ServedRowModel(ServedModel):
    """The endpoints of a classifier, a regressor, a clustering or a detector."""

    def __init__(self, predictor: RowPredictor, max_rows: int, missing: Sequence[str] = ()) -> None:
        super().__init__(predictor, max_rows, missing)
        self._inputs = inputs = predictor.schema.inputs
        self._columns = pd.Index([column.name for column in inputs])
        self._numbers = [column.name for column in inputs if column.kind == "number"]
        self._rows = RowList(
            "rows", inputs, predictor.schema.ignored, missing, min_rows=1, max_rows=max_rows
        )
        self._max_rows = max_rows
        self._categories = {
            column.name: frozenset(column.categories)
            for column in inputs
            if column.kind == "category" and len(column.categories) < MOST_CATEGORIES
        }

    def read(self, body: bytes) -> Rows:
        """Read the rows of a request; each has every input, None where it is missing."""
        return self._rows.check(read_object(body, FORM, ["rows"], ["rows"])["rows"])

    def predict(self, requests: list[Rows]) -> list[list[Prediction]]:
        """Predict the rows of requests that waited together with one call of the model."""
        rows = [row for request in requests for row in request]
        try:
            made = self.predictor.predict_features(self.predictor.features(self._frame(rows)))
        except ConversionError as error:
            reason = f"must be {error.expected}, got {shown(error.value)}"
            raise invalid(reason, error.name, int(error.rows[0])) from None
        lists = (values.tolist() for _, values in made.items())
        found = (dict(zip(made, values, strict=True)) for values in zip(*lists, strict=True))
        predictions = (
            Prediction(row, given, given | self._warnings(row))
            for row, given in zip(rows, found, strict=True)
        )
        return [list(islice(predictions, len(request))) for request in requests]

    @staticmethod
    def predict_shadow(
        challenger: Any,
        request: Rows,  # the predictions have the rows
        predictions: Mapping[str, Prediction],
    ) -> pd.DataFrame:
        """Return the predictions of a challenger, by the ids of the champion's."""
        rows = [one.row for one in predictions.values()]
        return challenger.predict(pd.DataFrame(rows, index=list(predictions)))

    def json_schemas(self) -> dict[str, Any]:
        """Return the schemas of the body of ``POST /predict`` and of a row in it."""
        rows = {"type": "array", "minItems": 1, "maxItems": self._max_rows}
        body = {
            "type": "object",
            "required": ["rows"],
            "additionalProperties": False,
            "properties": {"rows": rows | {"items": {"$ref": SCHEMAS + "Row"}}},
            "examples": [{"rows": [self.description["example"]]}],
        }
        return {"Rows": body, "Row": self._rows.json_schema}

    def _frame(self, rows: Rows) -> pd.DataFrame:
        """Return checked rows as `schema.conform` would, which takes longer for any table."""
        numbers = np.array([[row[name] for name in self._numbers] for row in rows], dtype=float)
        if len(self._numbers) == len(self._inputs):
            return pd.DataFrame(numbers, columns=self._columns, copy=False)
        columns: dict[int, Any] = {}
        given = iter(numbers.T)
        for place, column in enumerate(self._inputs):
            if column.kind == "number":
                columns[place] = next(given)
                continue
            columns[place] = pd.array([row[column.name] for row in rows], dtype=STR)
            if column.kind != "category":  # labels were written as training does when checked
                texts = pd.Series(columns[place], name=column.name)
                columns[place] = convert(texts, column.kind, column.written)
        frame = pd.DataFrame(columns, copy=False)
        frame.columns = self._columns  # one index for all frames knows where each name is
        return frame

    def _warnings(self, row: dict[str, Any]) -> dict[str, list[str]]:
        """Say what about a checked row training never saw; nothing if there is nothing."""
        found = []
        for column in self._inputs:
            value = row[column.name]
            if value is None:
                if column.required:
                    found.append(f"{column.name} is missing, but training always had it")
            elif column.name in self._categories and value not in self._categories[column.name]:
                found.append(f"{column.name} is {shown(value)}, which training never saw")
        return {"warnings": found} if found else {}
