"""The OpenAPI document, with the row of the model that serves at the moment."""

from typing import Any

from pydantic import BaseModel

from .contract import Feedback

SCHEMAS = "#/components/schemas/"
TEXT = {"type": "string"}

PREDICTIONS = {
    "type": "object",
    "required": ["model", "predictions"],
    "properties": {
        "model": {**TEXT, "description": "The version that answered."},
        "predictions": {
            "type": "array",
            "description": "One for each row, in their order.",
            "items": {
                "type": "object",
                "required": ["id", "prediction"],
                "properties": {
                    "id": {**TEXT, "description": "Give it back with POST /feedback."},
                    "prediction": {},
                    "warnings": {
                        "type": "array",
                        "items": TEXT,
                        "description": "What about the row training never saw; absent if nothing.",
                    },
                },
                "additionalProperties": True,
            },
        },
    },
}
WRONG_INPUT = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["row", "field", "reason"],
                "properties": {
                    "row": {"type": ["integer", "null"], "description": "Counted from 0."},
                    "field": {"type": ["string", "null"]},
                    "reason": TEXT,
                },
            },
        }
    },
}
FAILURE = {"type": "object", "required": ["detail"], "properties": {"detail": TEXT}}


def document(body: type[BaseModel] | None, classes: list[str], max_bytes: int) -> dict[str, Any]:
    """Return the OpenAPI document.

    Parameters
    ----------
    body
        The body of ``POST /predict``, None without a model.
    classes
        What ``POST /feedback`` may call a prediction; empty if it takes a number.
    max_bytes
        The longest body that is accepted.
    """
    rows, parts = _rows(body)
    schemas = {
        **parts,
        "Rows": rows,
        "Predictions": PREDICTIONS,
        "Feedback": _feedback(classes),
        "WrongInput": WRONG_INPUT,
        "Failure": FAILURE,
    }
    too_large = _answer(f"The body is larger than {max_bytes / 1e6:g} MB.", "Failure")
    failures = {
        "413": too_large,
        "422": _answer(
            "The body does not fit; says the row, the field and the reason.", "WrongInput"
        ),
        "500": _answer("The service failed.", "Failure"),
        "503": _answer("There is no model yet, or the log does not answer.", "Failure"),
    }
    unknown = {"404": _answer("No prediction has this id.", "Failure")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Predictions", "version": "1"},
        "paths": {
            "/predict": {
                "post": _operation(
                    "Predict rows",
                    {"200": _answer("The predictions.", "Predictions"), **failures},
                    "Rows",
                )
            },
            "/feedback": {
                "post": _operation(
                    "Say what a prediction turned out to be",
                    {"200": _answer("It is noted.", "Feedback"), **unknown, **failures},
                    "Feedback",
                )
            },
            "/model": {
                "get": _operation(
                    "Describe the model",
                    {"200": _answer("Its inputs and its quality."), "503": failures["503"]},
                )
            },
            "/metrics": {
                "get": _operation(
                    "Metrics for Prometheus",
                    {"200": {"description": "Text.", "content": {"text/plain": {"schema": TEXT}}}},
                )
            },
            "/health/live": {
                "get": _operation("Whether the process works", {"200": _answer("It does.")})
            },
            "/health/ready": {
                "get": _operation(
                    "Whether a model is loaded",
                    {"200": _answer("It is."), "503": _answer("It is not.")},
                )
            },
        },
        "components": {"schemas": schemas},
    }


def _rows(body: type[BaseModel] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of the body of ``POST /predict``, and those that it refers to."""
    if body is None:
        return {"type": "object", "description": "There is no model yet."}, {}
    schema = body.model_json_schema(ref_template=SCHEMAS + "{model}")
    return schema, schema.pop("$defs")


def _feedback(classes: list[str]) -> dict[str, Any]:
    schema = Feedback.model_json_schema()
    actual = schema["properties"]["actual"]
    del actual["anyOf"]
    actual |= {"enum": classes} if classes else {"type": "number"}
    return schema


def _operation(summary: str, responses: dict[str, Any], takes: str = "") -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if takes:
        operation["requestBody"] = {"required": True, "content": _json(takes)}
    return operation


def _answer(description: str, schema: str = "") -> dict[str, Any]:
    return {"description": description, "content": _json(schema)}


def _json(schema: str) -> dict[str, Any]:
    return {
        "application/json": {"schema": {"$ref": SCHEMAS + schema} if schema else {"type": "object"}}
    }
