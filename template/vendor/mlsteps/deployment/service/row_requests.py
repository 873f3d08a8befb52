"""A question is a list of rows; each is answered by itself."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from ...modeling.predictor import Predictor
from ...problem.columns import ConversionError
from .answered import Answered
from .contract import Contract
from .reply import Refusal
from .wrong_input import wrong_values

PAGE = "page.html"
Asked = list[dict[str, Any]]

__all__ = ["PAGE", "Asked", "Contract", "answer", "ask_beside", "rehearse"]


def answer(
    predictor: Predictor, contract: Contract, questions: list[Asked]
) -> list[list[Answered]]:
    """Answer questions that waited together with one call of the model.

    Raises
    ------
    Refusal
        If a value does not fit its column.
    """
    rows = [row for question in questions for row in question]
    try:
        predictions = predictor.predict_columns(predictor.features(contract.frame(rows)))
    except ConversionError as error:
        raise _wrong_values(error, rows) from None
    records = iter(_records(predictions))
    return [
        [
            Answered(row, given, given, contract.warnings(row))
            for row, given in zip(question, islice(records, len(question)), strict=True)
        ]
        for question in questions
    ]


def ask_beside(
    challenger: Predictor, asked: Asked, answered: Mapping[str, Answered]
) -> pd.DataFrame:
    """Let a challenger answer what the champion has answered, by the id of the prediction.

    Raises
    ------
    UserError, ConversionError
        If it cannot.
    """
    rows = [one.row for one in answered.values()]
    return challenger.predict(pd.DataFrame(rows, index=list(answered)))


def rehearse(predictor: Predictor, contract: Contract) -> None:
    """Answer the example once, so that the first caller need not wait."""
    predictor.predict_columns(predictor.features(contract.frame([predictor.describe()["example"]])))


def _wrong_values(error: ConversionError, rows: Asked) -> Refusal:
    at = [int(row) for row in error.rows]
    return wrong_values(error.expected, error.name, at, [rows[row][error.name] for row in at])


def _records(predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    columns = (values.tolist() for values in predictions.values())
    return [dict(zip(predictions, values, strict=True)) for values in zip(*columns, strict=True)]
