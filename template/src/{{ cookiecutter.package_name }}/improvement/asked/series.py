"""Series are asked for the dates of the test, from the history before it."""

import pandas as pd

from ...collection.collect import read_raw
from ...files import read_frame
from ...modeling import store
from ...modeling.predictor import load_predictor
from ...preparation.schema import Schema, read_schema
from ...preparation.series import known_columns
from ...problem.columns import Column
from ...problem.project import Project
from ...problem.series import PERIOD, SERIES
from .both import Both


def ask_both(project: Project, champion: str, challenger: str) -> Both:
    """Let both forecast the test, the champion as it would if it were asked today.

    The challenger was fitted to all there is in the end; what counts is how it forecast the test
    before, which its evaluation has kept.

    Raises
    ------
    UserError, ConversionError
        If the champion cannot answer series of today.
    """
    target = read_schema(project.prepared / "schema.json").target
    train = read_frame(project.prepared / "train.parquet", [target])
    test = read_frame(project.prepared / "test.parquet", [target, SERIES, PERIOD])
    raw = read_raw(project)
    asked = raw.loc[train.index.union(test.index)]
    asked[target] = asked[target].mask(asked.index.isin(test.index))
    answers = load_predictor(project.models / champion).predict(asked)
    kept = read_frame(project.models / challenger / store.ANSWERS)
    kept[PERIOD] = kept["origin"] + kept["step"] - 1
    kept = kept.set_index(["series", PERIOD])[["prediction", "low", "high", "unit"]]
    test = test[test[target].notna()]
    keys = pd.MultiIndex.from_frame(test[[SERIES, PERIOD]])
    there = keys.isin(kept.index)
    test, keys = test[there], keys[there]
    rival = kept.loc[keys].set_axis(test.index)
    # Both are measured by the same unit, that of the history before the test.
    answers = answers.loc[test.index].assign(unit=rival["unit"])
    many = test[SERIES].nunique() >= 10
    return Both(test[target], answers, rival, test[SERIES] if many else None)


def watched(schema: Schema, date: str) -> tuple[list[Column], bool]:
    """Return the features whose drift is watched, and whether that of the answers is.

    Only what is known ahead can drift: forecasts follow the season, so they change all the time.
    """
    return known_columns(schema), False
