"""Load the predictor of a version: the same for the command line, the service and a notebook."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..preparation.features import AddFeatures
from ..preparation.schema import read_schema
from . import store
from .row_predictor import Adjust, RowPredictor

Predictor = Any  # a RowPredictor or a ForecastPredictor
LoadPredictor = Callable[[Path], Predictor]


def load_predictor(
    folder: Path, add_features: AddFeatures, adjust: Adjust, trusted: Sequence[str] = ()
) -> Predictor:
    """Load the predictor of a version.

    Parameters
    ----------
    folder
        That of the version, in models/.
    add_features
        Adds the features that the project computes of a row.
    adjust
        Changes predictions by the rules of the project.
    trusted
        Types that the model may name beyond those of scikit-learn and of this library.

    Raises
    ------
    UserError
        If a file is missing or damaged, or needs a type that is not trusted.
    """
    pipeline = store.load_pipeline(folder / store.MODEL, trusted)
    schema = read_schema(folder / store.SCHEMA)
    if schema.problem == "forecasting":
        from .forecast_predictor import ForecastPredictor  # needs statsmodels

        return ForecastPredictor(folder, pipeline, schema, add_features, adjust)
    return RowPredictor(folder, pipeline, schema, add_features, adjust)
