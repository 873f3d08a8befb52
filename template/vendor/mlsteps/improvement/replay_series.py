"""What versions forecast from the same origins: those of the test, and those of live requests."""

import pandas as pd

from ..collection.collect import read_raw
from ..deployment.prediction_log import LoggedPredictions
from ..evaluation.forecasting import bootstrap_groups
from ..files import read_frame
from ..modeling import store
from ..modeling.forecast_predictor import LOGGED, ForecastRequestError
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
    test = test[test[target].notna()]
    paired = test.join(rival, [SERIES, PERIOD], how="inner")
    predictor, raw = load_predictor(project.models / champion), read_raw(project)
    origins, found = sorted(paired["origin"].unique()), []
    for origin, following in zip(origins, [*origins[1:], test[PERIOD].max() + 1], strict=True):
        rows = raw.loc[train.index.union(test.index[test[PERIOD] < following])]
        ahead = rows.index.isin(test.index[test[PERIOD] >= origin])
        found.append(predictor.predict(rows.assign(**{target: rows[target].mask(ahead)})))
    # The errors of both have the same scale, that of the history before the origin.
    predictions = pd.concat(found).loc[paired.index].assign(scale=paired["scale"])
    groups = bootstrap_groups(paired[SERIES], paired[PERIOD])
    return PairedPredictions(paired[target], predictions, paired[LOGGED], groups)


def predict_logged_rows(
    project: Project, version: str, logged: LoggedPredictions, load_predictor: LoadPredictor
) -> pd.DataFrame:
    """Let a version forecast what the champion has, from the history that there was then.

    Each forecast begins where that of the champion began: an older version would look further
    ahead from the end of its history, which is harder, and soon beyond its horizon.
    """
    predictor = load_predictor(project.models / version)
    raw = read_raw(project)
    raw = raw[raw[predictor.schema.target].notna()]
    known, wanted = predictor.locate(raw)[PERIOD], predictor.locate(logged.inputs)
    # Predictions that were logged before they had a step are left out: their history is unknown.
    wanted["origin"] = wanted[PERIOD] - logged.predictions.reindex(columns=["step"])["step"] + 1
    found = [pd.DataFrame(columns=LOGGED)]
    for origin, part in wanted.dropna().drop_duplicates(keep="last").groupby("origin"):
        rows = pd.concat([raw[known < origin], logged.inputs.loc[part.index]])
        try:
            found.append(predictor.predict(rows))
        except ForecastRequestError:  # a series it does not know, or a history that is not here
            continue
    scale = logged.predictions.reindex(columns=["scale"])["scale"]
    return pd.concat(found[1:] or found).assign(scale=scale)  # as that of the champion


def monitored_columns(schema: Schema, date: str) -> tuple[list[Column], bool]:
    """Return the features whose drift is monitored, and whether that of predictions is.

    Only what is known ahead can drift: forecasts follow the season, so they change all the time.
    """
    return known_columns(schema, schema.features), False
