"""A version of the model behind the endpoints; rows and forecasts have a subclass each."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pydantic_core import to_json

from ...modeling.predictor import Predictor
from ...problem.columns import label
from .validation import invalid, read_object, shown

SCHEMAS = "#/components/schemas/"
FEEDBACK = '{"id": ..., "actual": ...}'
TEXT = {"type": "string"}


@dataclass(frozen=True)
class Prediction:
    """One prediction.

    Attributes
    ----------
    row, logged
        What the log gets: the row, and what was predicted of it.
    shown
        What the caller gets, with the id.
    warnings
        What about the row training never saw.
    """

    row: dict[str, Any]
    logged: dict[str, Any]
    shown: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


class ServedModel(ABC):
    """What a request needs of one version, from its body to its predictions.

    Parameters
    ----------
    predictor
        Of the version.
    max_rows
        In each list of a request.
    missing
        Texts and numbers that stand for a missing value, as in the files.

    Attributes
    ----------
    description
        What ``GET /model`` responds.
    classes
        What a prediction may turn out to be; empty if that is a number.
    """

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

    @staticmethod
    @abstractmethod
    def predict_shadow(
        challenger: Any, request: Any, predictions: Mapping[str, Prediction]
    ) -> pd.DataFrame:
        """Return the predictions of a challenger, by the ids of the champion's."""

    @abstractmethod
    def json_schemas(self) -> dict[str, Any]:
        """Return the schema of the body of ``POST /predict``, "Rows", and what it refers to."""

    def warm_up(self) -> None:
        """Predict the example once, so that the first caller need not wait."""
        self.predict([self.read(to_json(self.predictor.example_request()))])

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

    def feedback_schema(self) -> dict[str, Any]:
        """Return the schema of the body of ``POST /feedback``."""
        kind = {"enum": self.classes} if self.classes else {"type": "number"}
        return {
            "type": "object",
            "required": ["id", "actual"],
            "additionalProperties": False,
            "properties": {
                "id": {**TEXT, "description": "The id that came with the prediction."},
                "actual": {**kind, "description": "What it really was."},
            },
        }
