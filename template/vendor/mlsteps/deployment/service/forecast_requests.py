"""A model that forecasts: a request is a horizon, with newer history and what is known ahead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...modeling.forecast_predictor import ForecastRequestError
from ...modeling.predictor import Predictor
from ...problem.columns import Column, ConversionError
from ...problem.series import SEPARATOR
from .served_model import SCHEMAS, TEXT, Prediction, ServedModel
from .validation import RowList, invalid, read_object, shown

FORM = '{"horizon": ..., "series": [...], "rows": [...], "future": [...]}'


@dataclass(frozen=True)
class ForecastRequest:
    """A request that was checked.

    Attributes
    ----------
    horizon
        Periods ahead; None for as many as the model can.
    series
        Labels of the series to forecast; None for all.
    rows, future
        Newer history, and what is known ahead of time; None where nothing was sent.
    """

    horizon: int | None = None
    series: list[str] | None = None
    rows: list[dict[str, Any]] | None = None
    future: list[dict[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self.rows or ()) + len(self.future or ()) + 1


class ServedForecastModel(ServedModel):
    """The endpoints of a forecaster."""

    def __init__(self, predictor: Predictor, max_rows: int, missing: Sequence[str] = ()) -> None:
        super().__init__(predictor, max_rows, missing)
        schema = predictor.schema
        self._max_rows = max_rows
        self._horizon: int = schema.decision["horizon"]
        date, series = schema.decision["date"], schema.decision["series"]
        target = Column(name=schema.target, kind="number", required=True)
        places = [c for c in schema.inputs if c.name in (date, *series)]
        known = [c for c in schema.inputs if c not in places]
        dates = [c for c in places if c.name == date]
        labels = [c for c in places if c.name != date]
        columns = {
            "rows": [*places, target, *_optional(known)],
            "future": [*dates, *_optional(labels), *known],
        }
        ignored = [*schema.ignored, schema.target]
        self._lists = {
            name: RowList(name, some, ignored, missing, min_rows=0, max_rows=max_rows)
            for name, some in columns.items()
        }

    def read(self, body: bytes) -> ForecastRequest:
        """Read a request; every part of it may be left out."""
        parts = ("horizon", "series", "rows", "future")
        content = {k: v for k, v in read_object(body, FORM, (), parts).items() if v is not None}
        horizon, series = content.get("horizon"), content.get("series")
        if horizon is not None and (type(horizon) is not int or not 1 <= horizon <= self._horizon):
            reason = f"must be a whole number from 1 to {self._horizon:,}, got {shown(horizon)}"
            raise invalid(reason, "horizon")
        if series is not None and not _are_texts(series):
            raise invalid(f"must be a list of texts, got {shown(series)}", "series")
        checked = {k: self._lists[k].check(content[k]) for k in self._lists if k in content}
        return ForecastRequest(horizon, series, **checked)

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
        rows = {"type": "array", "maxItems": self._max_rows}
        properties = {
            "horizon": {"type": "integer", "minimum": 1, "maximum": self._horizon},
            "series": {"type": "array", "items": TEXT, "description": "All if left out."},
            "rows": {**rows, "items": {"$ref": SCHEMAS + "Past"}},
            "future": {**rows, "items": {"$ref": SCHEMAS + "Ahead"}},
        }
        body = {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            "examples": [{"horizon": self._horizon}],
        }
        lists = self._lists
        return {
            "Rows": body,
            "Past": lists["rows"].json_schema,
            "Ahead": lists["future"].json_schema,
        }

    def _forecast(self, request: ForecastRequest) -> list[Prediction]:
        history = pd.DataFrame(request.rows) if request.rows else None
        future = pd.DataFrame(request.future) if request.future else None
        try:
            found = self.predictor.forecast(request.horizon, history, future, request.series)
        except ForecastRequestError as error:
            raise invalid(error.message, error.field) from None
        except ConversionError as error:
            reason = f"must be {error.expected}, got {shown(error.value)}"
            raise invalid(reason, error.name, int(error.rows[0])) from None
        return [self._prediction(line) for line in found.to_dict("records")]

    def _prediction(self, line: dict[str, Any]) -> Prediction:
        schema = self.predictor.schema
        date, columns = schema.decision["date"], schema.decision["series"]
        label = line["series"]
        labels = label.split(SEPARATOR, len(columns) - 1) if len(columns) > 1 else [label]
        numbers = {name: line[name] for name in ("prediction", "low", "high")}
        known = {c.name: line[c.name] for c in schema.inputs if c.name in line}
        row = {date: line["date"], **dict(zip(columns, labels, strict=False)), **known}
        series = {"series": label} if columns else {}
        logged = {**numbers, "scale": line["scale"], "step": line["step"]}
        return Prediction(row, logged, {**series, "date": line["date"], **numbers})


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _optional(columns: list[Column]) -> list[Column]:
    """Return columns that may be left out."""
    return [column.model_copy(update={"required": False}) for column in columns]
