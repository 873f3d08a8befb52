"""A model that predicts rows, each by itself."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from ...modeling.predictor import RowPredictor
from ...problem.columns import MOST_CATEGORIES, ConversionError, convert
from .served_model import SCHEMAS, Prediction, ServedModel
from .validation import RowList, invalid_values, read_object, shown

FORM = '{"rows": [...]}'
TEXT = pd.Series(dtype="str").dtype  # looking it up by name takes as long as a column
Rows = list[dict[str, Any]]


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
            columns = self.predictor.predict_columns(self.predictor.features(self._frame(rows)))
        except ConversionError as error:
            wrong = {int(row): rows[row][error.name] for row in error.rows}
            raise invalid_values(error.name, error.expected, wrong) from None
        lists = (values.tolist() for values in columns.values())
        found = (dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True))
        return [
            [
                Prediction(row, given, given, self._warnings(row))
                for row, given in zip(request, islice(found, len(request)), strict=True)
            ]
            for request in requests
        ]

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
        given = iter(numbers.T)
        columns: list[Any] = []
        for column in self._inputs:
            if column.kind == "number":
                columns.append(next(given))
                continue
            texts = pd.array([row[column.name] for row in rows], dtype=TEXT)
            if column.kind != "category":  # labels were written as training does when checked
                texts = convert(pd.Series(texts, name=column.name), column.kind, column.date_format)
            columns.append(texts)
        frame = pd.DataFrame(dict(enumerate(columns)), copy=False)
        frame.columns = self._columns  # one index for all frames knows where each name is
        return frame

    def _warnings(self, row: dict[str, Any]) -> list[str]:
        """Say what about a checked row training never saw."""
        found = []
        for column in self._inputs:
            value = row[column.name]
            if value is None:
                if column.required:
                    found.append(f"{column.name} is missing, but training always had it")
            elif column.name in self._categories and value not in self._categories[column.name]:
                found.append(f"{column.name} is {shown(value)}, which training never saw")
        return found
