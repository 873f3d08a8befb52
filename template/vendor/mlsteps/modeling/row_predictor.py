"""The predictor of rows: each is answered by itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from ..errors import UserError
from ..files import PART_ROWS, read_json
from ..preparation.features import AddFeatures, make_features
from ..preparation.row_encoder import RowEncoder
from ..preparation.schema import Schema
from ..problem.columns import SHOWN_CATEGORIES
from ..variants import of_type
from . import store

# Matrix products treat the last few rows of a table in another way than the others. In whole blocks
# a row has the same answer to the last bit, whoever stands beside it.
BLOCK = 8


Adjust = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]  # predictions and rows


class RowPredictor:
    """A fitted pipeline with its schema.

    Attributes
    ----------
    folder
        Where the version is stored.
    version
        The name of that folder.
    schema
        The columns it needs, and the decision that turns numbers into answers.
    """

    def __init__(
        self,
        folder: Path,
        pipeline: Pipeline,
        schema: Schema,
        add_features: AddFeatures,
        adjust: Adjust,
    ) -> None:
        self.folder = folder
        self.version = folder.name
        self.pipeline = pipeline
        self.schema = schema
        self._add_features = add_features
        self._adjust = adjust
        self._problem = of_type("modeling", schema.problem)
        self._encoder = RowEncoder(pipeline[0])
        self._features = pd.Index([column.name for column in schema.features])

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Answer every row.

        Parameters
        ----------
        rows : DataFrame
            At least the required inputs of the schema, in any order.

        Returns
        -------
        DataFrame
            With the index of `rows`: ``prediction`` and what else the problem type answers.

        Raises
        ------
        UserError
            If a required column is absent.
        ConversionError
            If a value does not fit its column.
        """
        return self.answer(self.features(self.schema.conform(rows)))

    def features(self, inputs: pd.DataFrame) -> pd.DataFrame:
        """Return the features of inputs that `schema.conform` has brought to their kinds."""
        return make_features(inputs, self._add_features)

    def answer(self, features: pd.DataFrame) -> pd.DataFrame:
        """Answer rows that were prepared before."""
        return pd.DataFrame(self.answer_columns(features), index=features.index)

    def answer_columns(self, features: pd.DataFrame) -> dict[str, np.ndarray]:
        """Answer prepared rows without a frame, which takes longer to make than a quick model."""
        chosen = features
        if not features.columns.equals(self._features):
            chosen = self._chosen(features)
        starts = range(0, max(len(features), 1), PART_ROWS)
        parts = [self._answer_part(chosen.iloc[s : s + PART_ROWS]) for s in starts]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        predictions = pd.DataFrame(columns, index=features.index)
        adjusted = self._adjust(predictions, features)
        if adjusted is predictions:
            return columns
        return {str(name): values.to_numpy() for name, values in adjusted.items()}

    def _chosen(self, features: pd.DataFrame) -> pd.DataFrame:
        absent = [name for name in self._features if name not in features.columns]
        if absent:
            raise UserError(
                f'Model {self.version} was trained with the feature "{absent[0]}", which '
                "add_features in preparation/features.py no longer makes; train again with `run`."
            )
        return features[self._features]

    def _answer_part(self, features: pd.DataFrame) -> dict[str, np.ndarray]:
        numbers = self._encoder.encode(features)
        whole = np.zeros((len(numbers) + -len(numbers) % BLOCK, numbers.shape[1]))
        whole[: len(numbers)] = numbers
        predictions = self._problem.answer(self.pipeline[-1], whole, self.schema.decision)
        return {name: values[: len(numbers)] for name, values in predictions.items()}

    def question(self) -> dict[str, Any]:
        """Return what the service can be asked, as an example."""
        return {"rows": [{column.name: column.example for column in self.schema.inputs}]}

    def add_metric_columns(self, predictions: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
        """Return answers to prepared rows with what the metrics need beside them."""
        return self._problem.add_metric_columns(predictions, lambda: self.numbers(features))

    def numbers(self, features: pd.DataFrame) -> np.ndarray:
        """Return what the estimator is given of prepared rows."""
        return self._encoder.encode(features[self._features])

    def describe(self) -> dict[str, Any]:
        """Return what the model is, how good it was on the test set, and which inputs it takes."""
        run = read_json(self.folder / store.RUN)
        metrics = self.folder / store.METRICS
        judged = read_json(metrics) if metrics.exists() else {}
        return {
            "version": self.version,
            "problem": self.schema.problem,
            "target": self.schema.target,
            "model": run["model"],
            "trained": run["trained"],
            "metric": run["metric"],
            "test": judged.get("test", {}),
            "tested_on": judged.get("tested_on", ""),
            "classes": self.schema.decision.get("classes", []),
            "profiles": self.schema.decision.get("profiles", {}),
            "inputs": [
                column.model_dump() | {"categories": column.categories[:SHOWN_CATEGORIES]}
                for column in self.schema.inputs
            ],
            "example": {column.name: column.example for column in self.schema.inputs},
        }
