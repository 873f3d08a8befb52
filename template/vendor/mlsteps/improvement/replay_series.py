"""What versions forecast from the same origins: those of the test, and those of live requests."""

from contextlib import suppress

import pandas as pd

from ..collection.collect import read_raw
from ..deployment.prediction_log import LoggedPredictions
from ..evaluation.forecasting import bootstrap_groups
from ..files import read_frame
from ..modeling import store
from ..modeling.forecast_predictor import LOGGED, ForecastPredictor, ForecastRequestError
from ..modeling.predictor import LoadPredictor
from ..preparation.schema import Schema, read_schema
from ..preparation.series import known_columns
from ..problem.columns import Column
from ..problem.project import Project
from ..problem.series import PERIOD, SERIES
from .comparison import PairedPredictions


def predict_test_rows(
    project: Project, champion: str, challenger: str, load_predictor: LoadPredictor
) -> PairedPredictions:
    """Let both versions forecast the test, the champion from the data of today.

    The challenger was fitted to the whole history in the end; what counts is how its candidate
    forecast the test before, which its evaluation has stored. The champion begins at the same
    origins.
    """
    target = read_schema(project.prepared / "schema.json").target
    train = read_frame(project.prepared / "train.parquet", [target])
    test = read_frame(project.prepared / "test.parquet", [target, SERIES, PERIOD])
    rival = read_frame(project.models / challenger / store.TEST_PREDICTIONS)
    rival = rival.rename(columns={"series": SERIES}).set_index([SERIES, PERIOD])
    paired = test[test[target].notna()].join(rival, [SERIES, PERIOD], how="inner")
    raw = read_raw(project).loc[train.index.union(test.index)]
    predictor = load_predictor(project.models / champion)
    predictions = _replay(predictor, raw, raw.loc[paired.index], paired["step"])
    # The errors of both have the same scale, that of the history before the origin.
    predictions = predictions.loc[paired.index].assign(scale=paired["scale"])
    groups = bootstrap_groups(paired)
    return PairedPredictions(paired[target], predictions, paired[LOGGED], groups)


def predict_logged_rows(
    project: Project, version: str, logged: LoggedPredictions, load_predictor: LoadPredictor
) -> pd.DataFrame:
    """Let a version forecast what the champion has, from the history that there was then.

    Each forecast begins where that of the champion began: an older version would look further
    ahead from the end of its history, which is harder, and soon beyond its horizon.
    """
    predictor, champions = load_predictor(project.models / version), logged.predictions
    # A series that the version does not know, or whose history is not here, is left out.
    found = _replay(
        predictor, read_raw(project), logged.inputs, champions["step"], ForecastRequestError
    )
    return found.assign(scale=champions["scale"])  # as that of the champion


def monitored_columns(schema: Schema, date: str) -> tuple[list[Column], bool]:
    """Return the features whose drift is monitored, and whether that of predictions is.

    Only what is known ahead can drift: forecasts follow the season, so they change all the time.
    """
    return known_columns(schema, schema.features), False


def _replay(
    predictor: ForecastPredictor,
    raw: pd.DataFrame,
    wanted: pd.DataFrame,
    steps: pd.Series,
    *ignored: type[Exception],
) -> pd.DataFrame:
    """Forecast rows again, each from where it was so many steps ahead."""
    target, found = predictor.schema.target, [pd.DataFrame(columns=LOGGED)]
    history = raw[raw[target].notna()]
    known, places = predictor.locate(history)[PERIOD], predictor.locate(wanted)
    places["origin"] = places[PERIOD] - steps + 1
    for origin, part in places.drop_duplicates(keep="last").groupby("origin"):
        rows = wanted.loc[part.index].drop(columns=target, errors="ignore")
        with suppress(*ignored):
            found.append(predictor.predict(pd.concat([history[known < origin], rows])))
    return pd.concat(found[1:] or found)
