"""What /openapi.json says of the library's endpoints; the framework tells of the project's own."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from .served_model import FEEDBACK, SCHEMAS, TEXT, ServedModel

NO_MODEL = {"type": "object", "description": "There is no model yet."}


class Prediction(BaseModel):
    """A prediction; what comes with it depends on the problem."""

    model_config = ConfigDict(extra="allow")
    id: str = Field(description="Give it back with POST /feedback.")
    prediction: Any
    warnings: list[str] = Field([], description="What about the row training never saw.")


class Predictions(BaseModel):
    """One prediction for each row in their order, or for each series and date."""

    model: str = Field(description="The version that predicted.")
    predictions: list[Prediction]


class Mistake(BaseModel):
    """What is wrong with a body; row and field are null where it belongs to none."""

    row: int | None = Field(description="Counted from 0.")
    field: str | None
    reason: str


class WrongInput(BaseModel):
    """All that is wrong with a body, as far as it was looked for."""

    detail: list[Mistake]


class Failure(BaseModel):
    """Why there is no other response."""

    detail: str


RESPONSES = models_json_schema(
    [(Predictions, "serialization"), (WrongInput, "serialization"), (Failure, "serialization")],
    ref_template=SCHEMAS + "{model}",
)[1]["$defs"]


def _content(schema: str) -> dict[str, Any]:
    shape = {"$ref": SCHEMAS + schema} if schema else {"type": "object"}
    return {"application/json": {"schema": shape}}


def _response(description: str, schema: str = "") -> dict[str, Any]:
    return {"description": description, "content": _content(schema)}


FAILURES = {
    "401": _response("The key is missing or not known.", "Failure"),
    "403": _response("A page of a site sent it that [serving] cors does not name.", "Failure"),
    "413": _response("The body is larger than [serving] max_megabytes.", "Failure"),
    "422": _response("The body does not fit; says row, field and reason.", "WrongInput"),
    "500": _response("The service failed.", "Failure"),
    "503": _response("There is no model, the log is away, or it took too long.", "Failure"),
}


def _post(summary: str, body: str, good: str, **more: Any) -> dict[str, Any]:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _content(body)},
        "responses": {"200": _response("It is done.", good), **FAILURES, **more},
    }


def _get(summary: str, **more: Any) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _response("It is so."), **more}}


METRICS = {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": TEXT}}}
# By path; each is what OpenAPI calls an operation.
OPERATIONS: dict[str, dict[str, Any]] = {
    "/predict": _post("Predict rows", "Rows", "Predictions"),
    "/feedback": _post(
        "Say what a prediction turned out to be",
        "Feedback",
        "Feedback",
        **{"404": _response("No prediction has this id.", "Failure")},
    ),
    "/model": _get("Describe the model", **{status: FAILURES[status] for status in ("401", "503")}),
    "/metrics": _get("Metrics for Prometheus", **{"200": METRICS}),
    "/health/live": _get("Whether the process works"),
    "/health/ready": _get("Whether a model is loaded", **{"503": _response("It is not.")}),
}


def schemas(model: ServedModel | None) -> dict[str, Any]:
    """Return the schemas that the operations refer to, with the row of the model that serves."""
    bodies = model.json_schemas() if model else {"Rows": NO_MODEL}
    feedback = model.feedback_schema() if model else NO_MODEL | {"description": FEEDBACK}
    return {**RESPONSES, **bodies, "Feedback": feedback}
