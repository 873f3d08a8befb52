"""The OpenAPI document, with the row of the model that serves at the moment."""

from typing import Any

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
            "description": "One for each row in their order, or for each series and date.",
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


def document(contract: Any | None, max_bytes: int, *, locked: bool) -> dict[str, Any]:
    """Return the OpenAPI document.

    Parameters
    ----------
    contract
        Of the model that serves; None without one.
    max_bytes
        The longest body that is accepted.
    locked
        Whether callers have to show a key.
    """
    rows, parts = _rows(contract)
    schemas = {
        **parts,
        "Rows": rows,
        "Predictions": PREDICTIONS,
        "Feedback": _feedback(contract),
        "WrongInput": WRONG_INPUT,
        "Failure": FAILURE,
    }
    components: dict[str, Any] = {"schemas": schemas}
    if locked:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Predictions", "version": "1"},
        "paths": {**_posts(max_bytes, locked=locked), **_gets(locked=locked)},
        "components": components,
    }


def _posts(max_bytes: int, *, locked: bool) -> dict[str, Any]:
    failures = {
        "403": _answer("A page of another site asks that [serving] cors does not name.", "Failure"),
        "408": _answer("The body did not come in time.", "Failure"),
        "413": _answer(f"The body is larger than {max_bytes / 1e6:g} MB.", "Failure"),
        "422": _answer(
            "The body does not fit; says the row, the field and the reason.", "WrongInput"
        ),
        "500": _answer("The service failed.", "Failure"),
        "503": _answer(
            "There is no model yet, the log does not answer, or it took too long.", "Failure"
        ),
    }
    predicted = {"200": _answer("The predictions.", "Predictions"), **failures}
    noted = {
        "200": _answer("It is noted.", "Feedback"),
        "404": _answer("No prediction has this id.", "Failure"),
        **failures,
    }
    truth = "Say what a prediction turned out to be"
    return {
        "/predict": {"post": _operation("Predict rows", predicted, "Rows", locked=locked)},
        "/feedback": {"post": _operation(truth, noted, "Feedback", locked=locked)},
    }


def _gets(*, locked: bool) -> dict[str, Any]:
    text = {"text/plain": {"schema": TEXT}}
    described = {
        "200": _answer("Its inputs and its quality."),
        "503": _answer("There is no model yet.", "Failure"),
    }
    measured = {"200": {"description": "In Prometheus's text format.", "content": text}}
    ready = {"200": _answer("It is."), "503": _answer("It is not.")}
    return {
        "/model": {"get": _operation("Describe the model", described, locked=locked)},
        "/metrics": {"get": _operation("Metrics for Prometheus", measured)},
        "/health/live": {
            "get": _operation("Whether the process works", {"200": _answer("It does.")})
        },
        "/health/ready": {"get": _operation("Whether a model is loaded", ready)},
    }


def _rows(contract: Any | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of the body of ``POST /predict``, and those that it refers to."""
    if contract is None:
        return {"type": "object", "description": "There is no model yet."}, {}
    schema = contract.body.model_json_schema(ref_template=SCHEMAS + "{model}")
    return schema, schema.pop("$defs")


def _feedback(contract: Any | None) -> dict[str, Any]:
    schema = Feedback.model_json_schema()
    if contract is None:
        return schema
    actual = schema["properties"]["actual"]
    del actual["anyOf"]
    actual |= {"enum": contract.classes} if contract.classes else {"type": "number"}
    return schema


def _operation(
    summary: str, responses: dict[str, Any], takes: str = "", *, locked: bool = False
) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if takes:
        operation["requestBody"] = {"required": True, "content": _json(takes)}
    if locked:
        operation["security"] = [{"key": []}]
        refused = _answer("The key is missing or not known.", "Failure")
        operation["responses"] = {**responses, "401": refused}
    return operation


def _answer(description: str, schema: str = "") -> dict[str, Any]:
    return {"description": description, "content": _json(schema)}


def _json(schema: str) -> dict[str, Any]:
    return {
        "application/json": {"schema": {"$ref": SCHEMAS + schema} if schema else {"type": "object"}}
    }
