"""Let a version predict rows again that another has predicted: each row stands by itself."""

import pandas as pd

from ..collection.collect import read_raw
from ..deployment.prediction_log import LoggedPredictions
from ..files import read_frame
from ..modeling.predictor import LoadPredictor
from ..preparation.schema import Schema, drawn_together
from ..problem.columns import Column, column_of
from ..problem.project import Project
from .comparison import PairedPredictions


def predict_test_rows(
    project: Project, champion: str, challenger: str, load_predictor: LoadPredictor
) -> PairedPredictions:
    """Let both predict the test rows, the champion from raw rows, as it would if it served them."""
    test = read_frame(project.prepared / "test.parquet")
    raw = read_raw(project).loc[test.index]
    old, new = (load_predictor(project.models / version) for version in (champion, challenger))
    return PairedPredictions(
        target=column_of(test, new.schema.target),
        predictions=new.add_metric_columns(old.predict(raw), test),
        rival_predictions=new.add_metric_columns(new.predict_features(test), test),
        group=drawn_together(test),
    )


def predict_logged_rows(
    project: Project, version: str, logged: LoggedPredictions, load_predictor: LoadPredictor
) -> pd.DataFrame:
    """Let a version predict what the champion predicted."""
    return load_predictor(project.models / version).predict(logged.inputs)


def monitored_columns(schema: Schema, date: str) -> tuple[list[Column], bool]:
    """Return the features whose drift is measured, and whether that of the predictions is.

    The date of the rows is left out: time always goes on.
    """
    return [column for column in schema.features if column.name != date], True
