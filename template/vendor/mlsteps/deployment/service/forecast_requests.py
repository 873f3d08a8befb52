"""A model that forecasts: a request is a horizon, with newer history and what is known ahead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...modeling.explanation import NO_SERIES
from ...modeling.forecast_predictor import (
    LOGGED,
    PREDICTION,
    ForecastPredictor,
    ForecastRequestError,
)
from ...problem.columns import Column, ConversionError
from .served_model import SCHEMAS, TEXT, Prediction, ServedModel
from .validation import RowList, invalid, read_object, shown

FORM = '{"horizon": ..., "series": [...], "rows": [...], "future": [...]}'
PARTS = {
    "horizon": "Periods ahead; as many as the model was tested on if left out.",
    "series": "Labels of the series to forecast; all if left out.",
    "rows": "History newer than the model's: the forecast begins after it.",
    "future": "What is known ahead of time, for each series or, without their columns, for all.",
}


@dataclass(frozen=True)
class ForecastRequest:
    """A request that was checked, see `ForecastPredictor.forecast`; None is what was not sent."""

    horizon: int | None = None
    series: list[str] | None = None
    rows: list[dict[str, Any]] | None = None
    future: list[dict[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self.rows or ()) + len(self.future or ()) + 1


class ServedForecastModel(ServedModel):
    """The endpoints of a forecaster."""

    def __init__(
        self, predictor: ForecastPredictor, max_rows: int, missing: Sequence[str] = ()
    ) -> None:
        super().__init__(predictor, max_rows, missing)
        schema, decision = predictor.schema, predictor.schema.decision
        self._horizon: int = decision["horizon"]
        self._max_rows = max_rows
        target = Column(
            name=schema.target,
            kind="number",
            required=True,
            decimal=schema.target_written[:1],
            unit=schema.target_written[1:],
        )
        known = {column.name for column in predictor.known_ahead()}
        columns = {
            "rows": [*_optional(schema.inputs, known), target],
            "future": _optional(schema.inputs, decision["series"]),
        }
        ignored = [*schema.ignored, schema.target]
        self._lists = {
            name: RowList(name, some, ignored, missing, min_rows=0, max_rows=max_rows)
            for name, some in columns.items()
        }

    def check_explains(self, rows: int, most: int) -> None:
        """Refuse: only rows are explained."""
        raise invalid(NO_SERIES, "explain")

    def read(self, body: bytes) -> ForecastRequest:
        """Read a request; every part of it may be left out."""
        content = {k: v for k, v in read_object(body, FORM, (), PARTS).items() if v is not None}
        horizon, series = content.get("horizon"), content.get("series")
        if horizon is not None and (type(horizon) is not int or not 1 <= horizon <= self._horizon):
            reason = f"must be a whole number from 1 to {self._horizon:,}, got {shown(horizon)}"
            raise invalid(reason, "horizon")
        named = isinstance(series, list) and series and all(isinstance(s, str) for s in series)
        if series is not None and not named:
            raise invalid(f"must be a list of one or more texts, got {shown(series)}", "series")
        checked = {k: self._lists[k].check(content[k]) for k in self._lists if k in content}
        return ForecastRequest(**content | checked)

    def predict(self, requests: list[ForecastRequest]) -> list[list[Prediction]]:
        """Forecast each series and date of each request."""
        return [self._forecast(request) for request in requests]

    @staticmethod
    def predict_shadow(
        challenger: Any, request: ForecastRequest, predictions: Mapping[str, Prediction]
    ) -> pd.DataFrame:
        """Return the forecasts of a challenger, by the ids of the champion's.

        Both begin where the champion did, with the history that came with the request; what the
        challenger was trained on already, or cannot forecast as far ahead, is left out.
        """
        ids, target = list(predictions), challenger.schema.target
        rows = pd.DataFrame([one.row for one in predictions.values()], index=ids)
        champions = pd.DataFrame([one.logged for one in predictions.values()], index=ids)
        history = pd.DataFrame(request.rows).dropna(subset=[target]) if request.rows else None
        return challenger.predict_paired(rows, champions, history)

    def json_schemas(self) -> dict[str, Any]:
        """Return the schemas of the body of ``POST /predict`` and of the rows in it."""
        rows, some = {"type": "array", "maxItems": self._max_rows}, {"type": "array", "minItems": 1}
        properties = {
            "horizon": {"type": "integer", "minimum": 1, "maximum": self._horizon},
            "series": {**some, "items": TEXT},
            "rows": {**rows, "items": {"$ref": SCHEMAS + "Past"}},
            "future": {**rows, "items": {"$ref": SCHEMAS + "Ahead"}},
        }
        properties = {k: v | {"description": PARTS[k]} for k, v in properties.items()}
        body = {"type": "object", "additionalProperties": False, "properties": properties}
        return {
            "Rows": body | {"examples": [self.description["example"]]},
            "Past": self._lists["rows"].json_schema,
            "Ahead": self._lists["future"].json_schema,
        }

    def _forecast(self, request: ForecastRequest) -> list[Prediction]:
        given = (request.rows, request.future)
        history, future = (pd.DataFrame(rows) if rows else None for rows in given)
        try:
            found = self.predictor.forecast(request.horizon, history, future, request.series)
        except ForecastRequestError as error:
            raise invalid(error.message, error.field) from None
        except ConversionError as error:
            reason = f"must be {error.expected}, got {shown(error.value)}"
            raise invalid(reason, error.name, int(error.rows[0])) from None
        series = ["series"] if self.predictor.schema.decision["series"] else []
        parts = (
            self.predictor.inputs_of(found),
            found[LOGGED],
            found[[*series, "date", *PREDICTION]],
        )
        records = (part.to_dict("records") for part in parts)
        return [Prediction(*line) for line in zip(*records, strict=True)]


def _optional(columns: list[Column], names: Sequence[str] | set[str]) -> list[Column]:
    """Return columns of which some may be left out."""
    return [c.model_copy(update={"required": False}) if c.name in names else c for c in columns]
