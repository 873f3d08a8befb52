"""The predictors: the same for the command line, the service and a notebook."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..errors import UserError
from ..files import PART_ROWS, read_json
from ..preparation.features import AddFeatures, make_features
from ..preparation.row_encoder import RowEncoder
from ..preparation.schema import Schema, read_schema
from ..problem.columns import SHOWN_CATEGORIES
from ..variants import of_type
from . import store
from .explanation import NO_SERIES, Explanation, explain

# Matrix products treat the last few rows of a table in another way than the others. In whole blocks
# a row has the same prediction to the last bit, whatever other rows there are.
BLOCK = 8

Adjust = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]  # predictions and rows
LoadPredictor = Callable[[Path], Any]  # a RowPredictor, or a ForecastPredictor for series


class Predictor(ABC):
    """A stored model that is ready to predict, with the code of the project around it.

    `load_predictor` makes one: a `RowPredictor`, which predicts each row by itself, or a
    `ForecastPredictor`, which continues series.

    Attributes
    ----------
    folder : Path
        Where the version is stored.
    version : str
        The name of that folder.
    pipeline : BaseEstimator
        What was fitted: the encoder and the estimator, or the forecaster with its history.
    schema : Schema
        The columns that the model needs, and the decision that makes predictions of its numbers.

    Examples
    --------
    In a notebook of the project "churn"::

        from churn.modeling.predictor import load_champion

        model = load_champion()
        model.predict(pd.read_csv("new_rows.csv"))
    """

    def __init__(
        self,
        folder: Path,
        pipeline: BaseEstimator,
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

    @abstractmethod
    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Predict rows.

        Parameters
        ----------
        rows : DataFrame of n rows
            The inputs of the schema, in any order; further columns are left out. Of series, those
            with a value of the target are history, and the others are forecast.

        Returns
        -------
        DataFrame of n rows
            With the index of the rows that are predicted: ``prediction``, and by type of problem
            ``probability_<class>``, ``low`` and ``high``, ``distance``, or ``score``.

        Raises
        ------
        UserError
            If an input that the model needs is missing.
        ConversionError
            If a value is not of its column's kind.
        """

    def explain(self, rows: pd.DataFrame) -> list[Explanation]:
        """Say of each row why its prediction is what it is.

        Parameters
        ----------
        rows : DataFrame of n rows
            As `predict` takes them.

        Returns
        -------
        list of n dicts
            ``explained`` names a number of the prediction: ``prediction``, ``score``, ``distance``,
            or the probability of the positive class (of the predicted one where there are more than
            two). ``typical`` is that of a typical row, and ``effects`` says how far each feature
            moves it from there, the strongest first. All of them add up to it.

        Raises
        ------
        UserError
            If series are forecast, as a forecast follows from its history.

        Examples
        --------
        >>> model.explain(rows)[0]  # doctest: +SKIP
        {'explained': 'prediction', 'typical': 2.1, 'effects': {'income': 1.2, 'rooms': -0.1}}
        """
        return self.explain_features(self.features(self.schema.conform(rows)))

    def explain_features(self, features: pd.DataFrame) -> list[Explanation]:
        """Explain the predictions of rows that were prepared before."""
        raise UserError(NO_SERIES)

    @abstractmethod
    def example_request(self) -> dict[str, Any]:
        """Return an example of what the service can be sent."""

    def features(self, inputs: pd.DataFrame) -> pd.DataFrame:
        """Return the features of inputs that `schema.conform` has brought to their kinds."""
        return make_features(inputs, self._add_features)

    def adjust(self, predictions: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        """Return predictions by the rules of the project, which must keep rows and columns."""
        adjusted = self._adjust(predictions, rows)
        whole = isinstance(adjusted, pd.DataFrame) and adjusted.index.equals(rows.index)
        if not whole or "prediction" not in adjusted.columns:
            raise UserError(
                "adjust in modeling/predictor.py must return a DataFrame with the column "
                '"prediction" and the rows it was given, in order.'
            )
        return adjusted

    def describe(self) -> dict[str, Any]:
        """Return what the model is, how good it was on the test set, and which inputs it takes."""
        run, path = read_json(self.folder / store.RUN), self.folder / store.METRICS
        results = read_json(path) if path.exists() else {}
        return {
            "version": self.version,
            "problem": self.schema.problem,
            "target": self.schema.target,
            **{key: run[key] for key in ("model", "trained", "metric")},
            "test": results.get("test", {}),
            "tested_on": results.get("tested_on", ""),
            "classes": self.schema.decision.get("classes", []),
            "profiles": self.schema.decision.get("profiles", {}),
            "inputs": [
                column.model_dump() | {"categories": column.categories[:SHOWN_CATEGORIES]}
                for column in self.schema.inputs
            ],
        }


class RowPredictor(Predictor):
    """Predicts each row by itself."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._problem = of_type("modeling", self.schema.problem)
        self._encoder = RowEncoder(self.pipeline[0])
        self._features = pd.Index([column.name for column in self.schema.features])

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Predict every row, see `Predictor.predict`."""
        return self.predict_features(self.features(self.schema.conform(rows)))

    def predict_features(self, features: pd.DataFrame) -> pd.DataFrame:
        """Predict rows that were prepared before."""
        chosen = features
        if not features.columns.equals(self._features):
            chosen = self._choose(features)
        starts = range(0, max(len(features), 1), PART_ROWS)
        parts = [self._predict_part(chosen.iloc[s : s + PART_ROWS]) for s in starts]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return self.adjust(pd.DataFrame(columns, index=features.index), features)

    def numbers(self, features: pd.DataFrame) -> np.ndarray:
        """Return what the estimator is given of prepared rows."""
        return self._encoder.encode(features[self._features])

    def explain_features(self, features: pd.DataFrame) -> list[Explanation]:
        """Explain the predictions of rows that were prepared before."""
        known = {key: value for key, value in self.schema.decision.items() if key != "typical"}
        plain = copy(self)  # does not look for the reasons of each anomaly
        plain.schema = self.schema.model_copy(update={"decision": known})
        return explain(features, self.schema, plain.predict_features)

    def add_metric_columns(self, predictions: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
        """Return predictions of prepared rows with the further columns that metrics need."""
        add = getattr(self._problem, "add_metric_columns", None)  # where nothing is predicted
        return add(predictions, self.numbers(features)) if add else predictions

    def example_request(self) -> dict[str, Any]:
        """Return an example of what the service can be sent."""
        return {"rows": [{column.name: column.example for column in self.schema.inputs}]}

    def describe(self) -> dict[str, Any]:
        """Return what the model is, with an example of a row."""
        return super().describe() | {"example": self.example_request()["rows"][0]}

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
        Takes the predictions of a model and the features of their rows, and returns the predictions
        by the rules of the project. It is applied wherever a stored model predicts: in the test,
        to files, in the service, in a notebook. The search compares candidates without it.
    trusted : sequence of str
        Types that the model may name beyond those of scikit-learn and of this library.

    Returns
    -------
    Predictor

    Raises
    ------
    UserError
        If a file is missing or damaged, or needs a type that is not trusted.

    Examples
    --------
    >>> from pathlib import Path
    >>> load_predictor(
    ...     Path("models/never"), add_features=lambda rows: rows, adjust=lambda found, rows: found
    ... )
    Traceback (most recent call last):
    mlsteps.errors.UserError: models/never/model.skops does not exist; train a model with `run`.
    """
    pipeline = store.load_pipeline(folder / store.MODEL, trusted)
    schema = read_schema(folder / store.SCHEMA)
    if schema.problem == "forecasting":
        from .forecast_predictor import ForecastPredictor  # needs statsmodels

        return ForecastPredictor(folder, pipeline, schema, add_features, adjust)
    return RowPredictor(folder, pipeline, schema, add_features, adjust)
