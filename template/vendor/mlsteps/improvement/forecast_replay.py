"""Series are asked for the dates of the test, from the history before it."""

import pandas as pd

from ..collection.collect import read_raw
from ..deployment.prediction_log import LoggedPredictions
from ..evaluation.series_test import alike
from ..files import read_frame
from ..modeling import store
from ..modeling.predictor import LoadPredictor
from ..modeling.forecast_predictor import ANSWER, WrongQuestionError
from ..preparation.schema import Schema, read_schema
from ..preparation.series import known_columns
from ..problem.columns import Column
from ..problem.project import Project
from ..problem.series import PERIOD, SERIES
from .both import PairedPredictions


def predict_test_rows(
    project: Project, champion: str, challenger: str, load_predictor: LoadPredictor
) -> PairedPredictions:
    """Let both forecast the test, the champion as it would if it were asked today.

    The challenger was fitted to all there is in the end; what counts is how it forecast the test
    before, which its evaluation has kept. The champion begins where that began: at each horizon.

    Raises
    ------
    UserError, ConversionError
        If the champion cannot answer series of today.
    """
    target = read_schema(project.prepared / "schema.json").target
    train = read_frame(project.prepared / "train.parquet", [target])
    test = read_frame(project.prepared / "test.parquet", [target, SERIES, PERIOD])
    kept = read_frame(project.models / challenger / store.TEST_PREDICTIONS)
    kept[PERIOD] = kept["origin"] + kept["step"] - 1
    kept = kept.set_index(["series", PERIOD])[["prediction", "low", "high", "unit", "origin"]]
    keys = pd.MultiIndex.from_frame(test[[SERIES, PERIOD]])
    judged = test[target].notna() & keys.isin(kept.index)
    rival = kept.loc[keys[judged]].set_axis(test.index[judged])
    predictor, raw = load_predictor(project.models / champion), read_raw(project)
    periods, origins, found = test[PERIOD], sorted(rival["origin"].unique()), []
    for origin, following in zip(origins, [*origins[1:], periods.max() + 1], strict=True):
        asked = raw.loc[train.index.union(test.index[periods < following])]
        asked[target] = asked[target].mask(asked.index.isin(test.index[periods >= origin]))
        found.append(predictor.predict(asked))
    # Both are measured by the same unit, that of the history before the origin.
    predictions = pd.concat(found).loc[rival.index].assign(unit=rival["unit"])
    there = test.loc[rival.index]
    return PairedPredictions(there[target], predictions, rival, alike(there[SERIES], there[PERIOD]))


def predict_logged_rows(
    project: Project, version: str, logged: LoggedPredictions, load_predictor: LoadPredictor
) -> pd.DataFrame:
    """Let a version forecast what the champion was asked, from the history that there was then.

    Each forecast begins where that of the champion began: a version that is older would look
    further ahead from the end of what it learnt, which is harder, and soon beyond its horizon.

    Returns
    -------
    DataFrame
        As the predictor answers, with the ids of the predictions that it can answer; one that was
        asked again from the same history is there once.

    Raises
    ------
    UserError, ConversionError
        If the version cannot be loaded, or does not know these columns.
    """
    predictor = load_predictor(project.models / version)
    raw = read_raw(project)
    raw = raw[raw[predictor.schema.target].notna()]
    known, asked = predictor.places(raw)[PERIOD], predictor.places(logged.inputs)
    # What was logged before forecasts told their step is left out: nothing tells its history.
    asked["origin"] = asked[PERIOD] - logged.predictions.reindex(columns=["step"])["step"] + 1
    asked = asked.dropna().drop_duplicates(keep="last")
    found = [pd.DataFrame(columns=ANSWER)]
    for origin, part in asked.groupby("origin"):
        rows = pd.concat([raw[known < origin], logged.inputs.loc[part.index]])
        try:
            found.append(predictor.predict(rows))
        except WrongQuestionError:  # a series it does not know, or a history that is not here
            continue
    # Both are measured by the same unit.
    return pd.concat(found[1:] or found).assign(unit=logged.predictions["unit"])


def monitored_columns(schema: Schema, date: str) -> tuple[list[Column], bool]:
    """Return the features whose drift is watched, and whether that of the answers is.

    Only what is known ahead can drift: forecasts follow the season, so they change all the time.
    """
    return known_columns(schema), False
