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
from ..problem.columns import Column, column_of, convert

# Columns of prepared rows that are no features: the label of the row's group, its key, that of its
# inputs where equal ones stay together, and that of all its values where equal rows may be one
# thing. No collected column has a name with blanks around it.
GROUP, KEY, ALIKE, EQUAL = " group", " key", " alike", " equal"

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
    decimal
        The decimal sign of the files that it was learnt from; "" where it did not matter.
    target_written
        How the target is written, if it is a number in a text: see `Column.written`.
    decision
        How the estimator's numbers become predictions; fitted in `train`, empty before.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlsteps.preparation import Column
    >>> age = Column(name="age", kind="number", required=True)
    >>> schema = Schema(
    ...     problem="regression", target="income", inputs=[age], features=[age], ignored=["id"]
    ... )
    >>> schema.conform(pd.DataFrame({"id": [7], "age": ["41"]}))
        age
    0  41.0
    """

    problem: str
    target: str
    inputs: list[Column]
    features: list[Column]
    ignored: list[str]
    decimal: str = ""
    target_written: str = ""
    decision: dict[str, Any] = {}

    def typical_features(self) -> pd.DataFrame:
        """Return the features of a typical row: medians and most frequent labels of training."""
        columns = self.features
        examples = {c.name: convert(pd.Series([c.example], name=c.name), c.kind) for c in columns}
        return pd.DataFrame(examples)

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
            names = ", ".join(f'"{name}"' for name in absent)
            raise UserError(f"Column {names} is missing; no row of the training lacked it.")
        inputs = {c.name: convert(column_of(rows, c.name), c.kind, c.written) for c in self.inputs}
        return pd.DataFrame(inputs, index=rows.index)


def drawn_together(rows: pd.DataFrame) -> pd.Series | None:
    """Return which prepared rows are resampled as one: a group, else what may be one thing."""
    return rows.get(GROUP, rows.get(EQUAL))


@dataclass(frozen=True)
class Prepared:
    """Prepared rows; which are for training and for the test; what was left out, and why."""

    features: pd.DataFrame
    rows: pd.DataFrame  # target, group, date and key of each
    train: np.ndarray
    test: np.ndarray
    schema: Schema
    summary: str
    losses: dict[str, object]
    reasons: dict[str, str]  # why each input has its kind


def read_schema(path: Path) -> Schema:
    """Read a schema.json."""
    content = read_json(path)
    try:
        return Schema.model_validate(content)
    except ValidationError as error:
        raise unreadable(path, error) from None
