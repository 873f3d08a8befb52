"""What `prepare` makes: the rows for training and for the test, and the schema of the model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError

from ..errors import UserError
from ..files import read_json, unreadable
from ..problem.columns import Column, convert

# Columns of train.parquet and test.parquet that are no features. Names of collected columns have no
# blanks around them, so none can be one of these.
GROUP, DATE, KEY = " group", " date", " key"

TrainedOn = Callable[[pd.DataFrame], np.ndarray]  # raw rows -> which a champion was trained on


class Schema(BaseModel):
    """What the model is given and what it predicts.

    Attributes
    ----------
    target
        The column that is predicted.
    inputs
        The columns that a caller gives, in files and in requests.
    features
        The columns that the model sees: the inputs and what `add_features` makes of them.
    ignored
        Columns of the data that may be given and are not used.
    problem
        The type of the problem.
    decision
        How the estimator's numbers become predictions; fitted in `train`, empty before.
    """

    problem: str
    target: str
    inputs: list[Column]
    features: list[Column]
    ignored: list[str]
    decision: dict[str, Any] = {}

    def conform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the inputs of `rows`, in order, each brought to its column's kind.

        A column that was complete in training has to be there; another may be absent, which
        means missing in every row. Columns that are not inputs are left out.

        Raises
        ------
        UserError
            If a required column is absent.
        ConversionError
            If a value does not fit its column's kind.
        """
        absent = [c.name for c in self.inputs if c.required and c.name not in rows.columns]
        if absent:
            raise UserError(
                f"Column {_quoted(absent)} is missing; the model needs "
                f"{_quoted([c.name for c in self.inputs])}."
            )
        missing = pd.Series(None, index=rows.index, dtype=object)
        return pd.DataFrame(
            {
                column.name: convert(
                    rows.get(column.name, missing).rename(column.name),
                    column.kind,
                    column.date_format,
                )
                for column in self.inputs
            },
            index=rows.index,
        )


@dataclass(frozen=True)
class Prepared:
    """Prepared rows, and what is said of them.

    Attributes
    ----------
    features, rows : DataFrame of n rows
        What the model sees of each row; and its target, group, date and key.
    train, test : ndarray of bool, (n,)
        Which rows are for training and for the test. Without a split a row is for both.
    schema
        What the model is given and predicts.
    summary
        What was done, in a line.
    losses
        How many rows were left out, by the reason, and how the test set was taken.
    reasons
        Why each input has its kind.
    """

    features: pd.DataFrame
    rows: pd.DataFrame
    train: np.ndarray
    test: np.ndarray
    schema: Schema
    summary: str
    losses: dict[str, object]
    reasons: dict[str, str]


def read_schema(path: Path) -> Schema:
    """Read a schema.json."""
    content = read_json(path)
    try:
        return Schema.model_validate(content)
    except ValidationError as error:
        raise unreadable(path, error) from None


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
