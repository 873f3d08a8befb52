"""What /openapi.json says of the library's endpoints; the framework tells of the project's own."""

from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from ...problem.columns import Column
from .served_model import SCHEMAS, ServedModel


class Explanation(BaseModel):
    """Why a number of a prediction is what it is."""

    explained: str = Field(description="The number: it is `typical` and all effects together.")
    typical: float = Field(description="That of a typical row.")
    effects: dict[str, float] = Field(description="Of each feature, the strongest first.")


class Prediction(BaseModel, extra="allow"):
    """A prediction; what comes with it depends on the problem."""

    id: str = Field(description="Give it back with POST /feedback.")
    prediction: Any = Field(description="A class, a number, the name of a cluster, or an anomaly.")
    warnings: list[str] = Field([], description="What about the row training never saw.")
    explanation: Explanation | None = Field(None, description="Asked for with ?explain=true.")


class Predictions(BaseModel):
    """One prediction for each row in their order, or for each series and date."""

    model: str = Field(description="The version that predicted.")
    predictions: list[Prediction] = Field(description="In the order of the rows.")


class Measured(BaseModel):
    """A metric on the test set, with its 95 % interval."""

    value: float | None = Field(description="On the whole test set.")
    low: float | None = Field(description="The lower end of the interval.")
    high: float | None = Field(description="The upper end.")


class Input(Column):
    """A column of a row that the model takes."""


class ModelDescription(BaseModel, extra="allow"):
    """The model that serves; what else it has depends on the problem."""

    version: str = Field(description="The version that serves.")
    problem: str = Field(description="[problem] type")
    target: str = Field(description="[problem] target")
    model: str = Field(description="The candidate that was chosen.")
    trained: str = Field(description="When, as ISO 8601.")
    metric: str = Field(description="What it was chosen by.")
    test: dict[str, Measured] = Field(description="Each metric on the test set.")
    classes: list[str] = Field(description="Empty where no class is predicted.")
    inputs: list[Input] = Field(description="The columns of a row, with 100 labels at most.")
    example: dict[str, Any] = Field(description="A row, or where series are forecast a body.")


class Readiness(BaseModel):
    """Whether there is a model."""

    status: str = Field(description="ready, or with 503 not ready.")
    model: str = Field(description="The version that serves.")
    detail: str = Field("", description="Why a newer champion cannot be loaded.")


class Mistake(BaseModel):
    """What is wrong with a body; row and field are null where it belongs to none."""

    row: int | None = Field(description="Counted from 0.")
    field: str | None = Field(description="The column, or the part of the body.")
    reason: str = Field(description="A sentence.")


class WrongInput(BaseModel):
    """What is wrong with a body."""

    detail: list[Mistake] = Field(description="100 at most.")


class Failure(BaseModel):
    """Why there is no other response."""

    detail: str


FAILURES = {
    "401": "The key is missing or not known.",
    "403": "A page of another site sent it, or to a name that [serving] allowed_hosts lacks.",
    "404": "No prediction has this id.",
    "413": "The body is larger than [serving] max_megabytes.",
    "422": "The body does not fit; says the row, the field and the reason.",
    "500": "The service failed.",
    "503": "There is no model yet, the log does not answer, or it took too long.",
}


def _content(schema: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": SCHEMAS + schema}}}}


def _operation(summary: str, *statuses: str, body: str = "", good: str = "") -> dict[str, Any]:
    """Return what OpenAPI calls an operation: its errors, and the schemas of its bodies."""
    responses = {
        status: {"description": FAILURES[status]}
        | _content("WrongInput" if status == "422" else "Failure")
        for status in statuses
    }
    responses["200"] = {"description": "It is done.", **(_content(good) if good else {})}
    sent = {"requestBody": {"required": True, **_content(body)}} if body else {}
    return {"summary": summary, **sent, "responses": responses}


EXPLAIN = {
    "name": "explain",
    "in": "query",
    "description": "Whether to say what moved each prediction most; not where series are forecast.",
    "schema": {"type": "boolean", "default": False},
}
ALL = [status for status in FAILURES if status != "404"]
OPERATIONS: dict[str, dict[str, Any]] = {
    "/predict": _operation("Predict rows, or series", *ALL, body="Rows", good="Predictions")
    | {"parameters": [EXPLAIN]},
    "/feedback": _operation(
        "Say what a prediction turned out to be", *FAILURES, body="Feedback", good="Feedback"
    ),
    "/model": _operation(
        "Describe the model, its inputs and its quality",
        *("401", "403", "503"),
        good="ModelDescription",
    ),
    "/metrics": _operation("Counts and times for Prometheus"),
    "/health/live": _operation("Whether the process works"),
    "/health/ready": _operation("Whether there is a model", "503", good="Readiness"),
}
RESPONSES = (Predictions, ModelDescription, Readiness, WrongInput, Failure)


def schemas(model: ServedModel | None) -> dict[str, Any]:
    """Return the schemas that the operations refer to, with the row of the model that serves."""
    responses: list[Any] = [(one, "serialization") for one in RESPONSES]
    found = models_json_schema(responses, ref_template=SCHEMAS + "{model}")[1]["$defs"]
    classes = model.classes if model else []
    feedback = {
        "type": "object",
        "required": ["id", "actual"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string", "description": "That of the prediction."},
            "actual": {"enum": classes} if classes else {"type": "number"},
        },
    }
    return {**found, **(model.json_schemas() if model else {"Rows": {}}), "Feedback": feedback}
