"""A question is a horizon, perhaps with recent history and with what is known ahead of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from ...modeling.predictor import Predictor
from ...modeling.forecast_predictor import ForecastRequestError
from ...preparation.schema import Schema
from ...problem.columns import ConversionError
from ...problem.columns import Column
from ...problem.series import SEPARATOR
from .answered import Answered
from .contract import read_body, read_feedback, row_model
from .reply import Refusal
from .tidy import Tidy
from .wrong_input import LONG, all_errors, shown, wrong

PAGE = "forecast.html"
BODY = '{"horizon": ..., "series": [...], "rows": [...], "future": [...]}'

__all__ = ["PAGE", "Asked", "Contract", "answer", "ask_beside", "rehearse"]


@dataclass(frozen=True)
class Asked:
    """A question that was checked.

    Attributes
    ----------
    horizon
        Periods ahead; None for as many as the model can.
    series
        Labels of the series to forecast; None for all.
    rows, future
        Newer history, and what is known ahead of time; None where nothing was sent.
    """

    horizon: int | None
    series: list[str] | None
    rows: list[dict[str, Any]] | None
    future: list[dict[str, Any]] | None

    def __len__(self) -> int:
        return len(self.rows or ()) + len(self.future or ()) + 1


class Contract:
    """What one version of the model may be asked, and told.

    Parameters
    ----------
    schema
        Of the version.
    max_rows
        In each list of a request.
    missing
        Texts and numbers that stand for a missing value, as in the files.

    Attributes
    ----------
    body
        The pydantic model of the body of ``POST /predict``.
    classes
        Empty: a forecast turns out to be a number.
    """

    def __init__(self, schema: Schema, max_rows: int, missing: Sequence[str] = ()) -> None:
        self.classes: list[str] = []
        self._lists = _lists(schema)
        self.body = _body(schema, self._lists, max_rows)
        known = {schema.target, *(column.name for column in schema.inputs)}
        self._tidy = Tidy(known, schema.ignored, missing, max_rows)

    def rows(self, body: bytes) -> Asked:
        """Read a question.

        Raises
        ------
        Refusal
            If the body is not JSON or does not fit.
        """
        content = self._tidy.list_in(read_body(body), "rows")
        content = self._tidy.list_in(content, "future")
        try:
            checked: Any = self.body.model_validate(content)
        except ValidationError as error:
            found = all_errors(error, content, self._lists)
            raise Refusal(422, [_explain(one) for one in found]) from None
        given = checked.model_dump(by_alias=True)
        return Asked(given["horizon"], given["series"], given["rows"], given["future"])

    def feedback(self, body: bytes) -> tuple[str, str | float]:
        """Read a prediction's id and what it really was.

        Raises
        ------
        Refusal
            If the body is not JSON or does not fit.
        """
        return read_feedback(body, self.classes)


def answer(
    predictor: Predictor, contract: Contract, questions: list[Asked]
) -> list[list[Answered]]:
    """Answer each question with a forecast for each series and date.

    Raises
    ------
    Refusal
        If the history and what is known ahead of time do not suffice.
    """
    return [_answer(predictor, question) for question in questions]


def ask_beside(
    challenger: Predictor, asked: Asked, answered: Mapping[str, Answered]
) -> pd.DataFrame:
    """Let a challenger forecast what the champion has forecast, by the id of the prediction.

    Both begin where the champion did, with the history that came with the question; what the
    challenger has learnt already, or cannot forecast as far ahead, is left out.

    Raises
    ------
    UserError, ConversionError
        If it cannot.
    """
    ids, target = list(answered), challenger.schema.target
    rows = pd.DataFrame([one.row for one in answered.values()], index=ids)
    champions = pd.DataFrame([one.answer for one in answered.values()], index=ids)
    history = pd.DataFrame(asked.rows).dropna(subset=[target]) if asked.rows else None
    return challenger.predict_paired(rows, champions, history)


def rehearse(predictor: Predictor, contract: Contract) -> None:
    """Forecast once, so that the first caller need not wait."""
    predictor.forecast(horizon=1, future=predictor.typical_future())


def _answer(predictor: Predictor, asked: Asked) -> list[Answered]:
    history = pd.DataFrame(asked.rows) if asked.rows else None
    future = pd.DataFrame(asked.future) if asked.future else None
    try:
        found = predictor.forecast(asked.horizon, history, future, asked.series)
    except ForecastRequestError as error:
        raise wrong(error.message, error.field) from None
    except ConversionError as error:
        reason = f"must be {error.expected}, got {shown(error.value)}"
        raise wrong(reason, error.name, int(error.rows[0])) from None
    return [_answered(line, predictor.schema) for line in found.to_dict("records")]


def _answered(line: dict[str, Any], schema: Schema) -> Answered:
    date, columns = schema.decision["date"], schema.decision["series"]
    label = line["series"]
    labels = label.split(SEPARATOR, len(columns) - 1) if len(columns) > 1 else [label]
    numbers = {name: line[name] for name in ("prediction", "low", "high")}
    known = {c.name: line[c.name] for c in schema.inputs if c.name in line}
    row = {date: line["date"], **dict(zip(columns, labels, strict=False)), **known}
    series = {"series": label} if columns else {}
    told = {**series, "date": line["date"], **numbers}
    return Answered(row, {**numbers, "scale": line["scale"], "step": line["step"]}, told)


def _lists(schema: Schema) -> dict[str, type[BaseModel]]:
    """Return what the rows of each list of a body have to be."""
    decision = schema.decision
    target = Column(name=schema.target, kind="number", required=True)
    told = [c for c in schema.inputs if c.name in (decision["date"], *decision["series"])]
    known = [c for c in schema.inputs if c not in told]
    dates = [c for c in told if c.name == decision["date"]]
    past = [*told, target, *_loose(known)]
    ahead = [*dates, *_loose([c for c in told if c not in dates]), *known]
    return {"rows": row_model("Past", past), "future": row_model("Ahead", ahead)}


def _body(schema: Schema, lists: dict[str, Any], max_rows: int) -> type[BaseModel]:
    most = schema.decision["horizon"]
    # A million mistakes would take more memory than their rows, so the first bad row is the last.
    few = {"max_length": max_rows, "fail_fast": True}
    past, ahead = map(_list_of, lists.values())
    fields: dict[str, tuple[Any, dict[str, Any], str]] = {
        "horizon": (int, {"strict": True, "ge": 1, "le": most}, f"Periods ahead, {most} at most."),
        "series": (list[str], {}, "Labels of series; all if left out."),
        "rows": (past, few, "History newer than the model's."),
        "future": (ahead, few, "What is known ahead, by date."),
    }
    taken: dict[str, Any] = {
        name: (Annotated[kind, Field(description=words, **limits)] | None, None)
        for name, (kind, limits, words) in fields.items()
    }
    example: dict[str, Any] = {"horizon": most}
    config = ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})
    return create_model("Forecast", __config__=config, **taken)


def _list_of(row: Any) -> Any:
    return list[row]


def _loose(columns: list[Column]) -> list[Column]:
    """Return columns that may be left out."""
    return [column.model_copy(update={"required": False}) for column in columns]


def _explain(error: ErrorDetails) -> dict[str, Any]:
    part, *rest = error["loc"] or (None,)
    row = next((place for place in rest if isinstance(place, int)), None)
    names = [place for place in rest if isinstance(place, str)]
    field = str(names[-1] if names else part)[:LONG] if part is not None else None
    if error["type"] == "missing":
        reason = "is missing"
    elif error["type"] == "extra_forbidden":
        reason = f"is not known; the body may be {BODY}"
    elif part is None:
        reason = f"the body must be {BODY}, got {shown(error['input'])}"
    else:
        rule = error["msg"].replace("Input should", "must").partition(", unable")[0]
        reason = f"{rule}, got {shown(error['input'])}"
    return {"row": row, "field": field, "reason": reason}
