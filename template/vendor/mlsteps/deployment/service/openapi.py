"""What /openapi.json says of the library's endpoints; the framework tells of the project's own."""

from typing import Any

from .served_model import FEEDBACK, SCHEMAS, TEXT, ServedModel

NULL_TEXT = {"type": ["string", "null"]}
NO_MODEL = {"type": "object", "description": "There is no model yet."}


def _object(
    required: list[str], properties: dict[str, Any], *, more: bool = False
) -> dict[str, Any]:
    shape = {"type": "object", "required": required, "properties": properties}
    return shape | ({"additionalProperties": True} if more else {})


PREDICTION = _object(
    ["id", "prediction"],
    {
        "id": {**TEXT, "description": "Give it back with POST /feedback."},
        "prediction": {},
        "warnings": {
            "type": "array",
            "items": TEXT,
            "description": "What about the row training never saw; absent if nothing.",
        },
    },
    more=True,
)
MISTAKE = _object(
    ["row", "field", "reason"],
    {
        "row": {"type": ["integer", "null"], "description": "Counted from 0."},
        "field": NULL_TEXT,
        "reason": TEXT,
    },
)
RESPONSES = {
    "Predictions": _object(
        ["model", "predictions"],
        {
            "model": {**TEXT, "description": "The version that predicted."},
            "predictions": {
                "type": "array",
                "items": PREDICTION,
                "description": "One for each row in their order, or for each series and date.",
            },
        },
    ),
    "WrongInput": _object(["detail"], {"detail": {"type": "array", "items": MISTAKE}}),
    "Failure": _object(["detail"], {"detail": TEXT}),
}


def _json(schema: str = "") -> dict[str, Any]:
    shape = {"$ref": SCHEMAS + schema} if schema else {"type": "object"}
    return {"application/json": {"schema": shape}}


def _response(description: str, schema: str = "") -> dict[str, Any]:
    return {"description": description, "content": _json(schema)}


FAILURES = {
    status: _response(description, "WrongInput" if status == "422" else "Failure")
    for status, description in {
        "401": "The key is missing or not known.",
        "403": "A page of another site sent it that [serving] cors does not name.",
        "413": "The body is larger than [serving] max_megabytes.",
        "422": "The body does not fit; says the row, the field and the reason.",
        "500": "The service failed.",
        "503": "There is no model yet, the log does not answer, or it took too long.",
    }.items()
}
# By path; each is what OpenAPI calls an operation.
OPERATIONS: dict[str, dict[str, Any]] = {
    "/predict": {
        "summary": "Predict rows",
        "requestBody": {"required": True, "content": _json("Rows")},
        "responses": {"200": _response("The predictions.", "Predictions"), **FAILURES},
    },
    "/feedback": {
        "summary": "Say what a prediction turned out to be",
        "requestBody": {"required": True, "content": _json("Feedback")},
        "responses": {
            "200": _response("It is noted.", "Feedback"),
            "404": _response("No prediction has this id.", "Failure"),
            **FAILURES,
        },
    },
    "/model": {
        "summary": "Describe the model",
        "responses": {
            "200": _response("Its inputs and its quality."),
            "401": FAILURES["401"],
            "503": _response("There is no model yet.", "Failure"),
        },
    },
    "/metrics": {
        "summary": "Metrics for Prometheus",
        "responses": {
            "200": {"description": "Its text format.", "content": {"text/plain": {"schema": TEXT}}}
        },
    },
    "/health/live": {
        "summary": "Whether the process works",
        "responses": {"200": _response("It does.")},
    },
    "/health/ready": {
        "summary": "Whether a model is loaded",
        "responses": {"200": _response("It is."), "503": _response("It is not.")},
    },
}


def schemas(model: ServedModel | None) -> dict[str, Any]:
    """Return the schemas that the operations refer to, with the row of the model that serves."""
    bodies = model.json_schemas() if model else {"Rows": NO_MODEL}
    feedback = model.feedback_schema() if model else NO_MODEL | {"description": FEEDBACK}
    return {**RESPONSES, **bodies, "Feedback": feedback}
