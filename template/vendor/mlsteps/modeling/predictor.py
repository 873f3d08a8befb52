"""The predictors: the same for the command line, the service and a notebook."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from ..errors import UserError
from ..files import PART_ROWS, read_json
from ..preparation.features import AddFeatures, make_features
from ..preparation.row_encoder import RowEncoder
from ..preparation.schema import Schema, read_schema
from ..problem.columns import SHOWN_CATEGORIES
from ..variants import of_type
from . import store

# Matrix products treat the last few rows of a table in another way than the others. In whole blocks
# a row has the same prediction to the last bit, whatever other rows there are.
BLOCK = 8

Adjust = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]  # predictions and rows
Predictor = Any  # a RowPredictor or a ForecastPredictor
LoadPredictor = Callable[[Path], Predictor]


def load_predictor(
    folder: Path, add_features: AddFeatures, adjust: Adjust, trusted: Sequence[str] = ()
) -> Predictor:
    """Load the predictor of a version.

    Parameters
    ----------
    folder : Path
        That of the version, in models/.
    add_features : function of DataFrame
        Returns the inputs with the features that the project computes of a row.
    adjust : function of two DataFrames
        Returns the predictions by the rules of the project; takes them and their features.
    trusted : sequence of str
        Types that the model may name beyond those of scikit-learn and of this library.

    Returns
    -------
    RowPredictor or ForecastPredictor
        ``predict(rows)`` returns a DataFrame with ``prediction`` and more, by type of problem.

    Raises
    ------
    UserError
        If a file is missing or damaged, needs a type that is not trusted, or was made by a version
        of the library that cannot be read any more.
    """
    pipeline = store.load_pipeline(folder / store.MODEL, trusted)
    schema = read_schema(folder / store.SCHEMA)
    if schema.problem == "forecasting":
        from .forecast_predictor import ForecastPredictor  # needs statsmodels

        return ForecastPredictor(folder, pipeline, schema, add_features, adjust)
    return RowPredictor(folder, pipeline, schema, add_features, adjust)


class RowPredictor:
    """A fitted pipeline with its schema, which predicts each row by itself.

    Attributes
    ----------
    folder : Path
        Where the version is stored.
    version : str
        The name of that folder.
    schema : Schema
        The columns it needs, and the decision that turns numbers into predictions.
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
        """Predict every row."""
        return self.predict_features(self.features(self.schema.conform(rows)))

    def features(self, inputs: pd.DataFrame) -> pd.DataFrame:
        """Return the features of inputs that `schema.conform` has brought to their kinds."""
        return make_features(inputs, self._add_features)

    def predict_features(self, features: pd.DataFrame) -> pd.DataFrame:
        """Predict rows that were prepared before."""
        chosen = features
        if not features.columns.equals(self._features):
            chosen = self._choose(features)
        starts = range(0, max(len(features), 1), PART_ROWS)
        parts = [self._predict_part(chosen.iloc[s : s + PART_ROWS]) for s in starts]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return self.adjust(pd.DataFrame(columns, index=features.index), features)

    def predict_columns(self, features: pd.DataFrame) -> dict[str, np.ndarray]:
        """Predict prepared rows; return each column as an array."""
        predictions = self.predict_features(features)
        return {str(name): values.to_numpy() for name, values in predictions.items()}

    def adjust(self, predictions: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
        """Return predictions by the rules of the project.

        Raises
        ------
        UserError
            If they lose rows or the column ``prediction``.
        """
        return check_adjusted(self._adjust(predictions, features), features)

    def numbers(self, features: pd.DataFrame) -> np.ndarray:
        """Return what the estimator is given of prepared rows."""
        return self._encoder.encode(features[self._features])

    def add_metric_columns(self, predictions: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
        """Return predictions of prepared rows with the further columns that metrics need."""
        add = getattr(self._problem, "add_metric_columns", None)  # where nothing is predicted
        return add(predictions, self.numbers(features)) if add else predictions

    def example_request(self) -> dict[str, Any]:
        """Return an example of what the service can be sent."""
        return {"rows": [{column.name: column.example for column in self.schema.inputs}]}

    def describe(self) -> dict[str, Any]:
        """Return what the model is, how good it was on the test set, and which inputs it takes."""
        run = read_json(self.folder / store.RUN)
        metrics = self.folder / store.METRICS
        results = read_json(metrics) if metrics.exists() else {}
        return {
            "version": self.version,
            "problem": self.schema.problem,
            "target": self.schema.target,
            "model": run["model"],
            "trained": run["trained"],
            "metric": run["metric"],
            "test": results.get("test", {}),
            "tested_on": results.get("tested_on", ""),
            "classes": self.schema.decision.get("classes", []),
            "profiles": self.schema.decision.get("profiles", {}),
            "inputs": [
                column.model_dump() | {"categories": column.categories[:SHOWN_CATEGORIES]}
                for column in self.schema.inputs
            ],
            "example": {column.name: column.example for column in self.schema.inputs},
        }

    def _choose(self, features: pd.DataFrame) -> pd.DataFrame:
        absent = [name for name in self._features if name not in features.columns]
        if absent:
            raise UserError(
                f'Model {self.version} was trained with the feature "{absent[0]}", which '
                "add_features in preparation/features.py no longer makes; train again with `run`."
            )
        return features[self._features]

    def _predict_part(self, features: pd.DataFrame) -> dict[str, np.ndarray]:
        numbers = self._encoder.encode(features)
        whole = np.zeros((len(numbers) + -len(numbers) % BLOCK, numbers.shape[1]))
        whole[: len(numbers)] = numbers
        predictions = self._problem.predict(self.pipeline[-1], whole, self.schema.decision)
        return {name: values[: len(numbers)] for name, values in predictions.items()}


def check_adjusted(adjusted: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what `adjust` made of the predictions for rows."""
    if (
        not isinstance(adjusted, pd.DataFrame)
        or not adjusted.index.equals(rows.index)
        or "prediction" not in adjusted.columns
    ):
        raise UserError(
            'adjust in modeling/predictor.py must return a DataFrame with the column "prediction" '
            "and the rows it was given, in order."
        )
    return adjusted
