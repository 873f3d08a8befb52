"""Learn from series: backtests, then a fit of the best candidate on the whole history."""

import time

import pandas as pd

from ..files import read_frame
from ..preparation.schema import read_schema
from ..preparation.series import panel_of
from ..preparation.schema import KEY
from ..problem.project import Project
from ..preparation.split import CutFolds
from ..problem.metric import Metric
from .candidate import Candidates
from .forecasting import learn_intervals
from .backtest import backtest, build_forecaster
from .compare import few_threads
from .continued import Continued
from .learnt import Learnt

REFERENCE_ROWS = 5000  # what drift is measured against; more would not change a test's answer


def learn(
    project: Project, candidates: Candidates, metric: Metric, cut_folds: CutFolds
) -> Learnt:
    """Backtest on the history before the test, and fit the best candidate on all of it.

    The test settles nothing here: the choice was made when its values join the history.

    Raises
    ------
    UserError
        If no candidate could be judged in time, or one fails.
    """
    definition = project.definition
    schema = read_schema(project.prepared / "schema.json")
    train = read_frame(project.prepared / "train.parquet")
    whole = pd.concat([train, read_frame(project.prepared / "test.parquet")])
    panel = panel_of(train, schema)
    started = time.monotonic()
    with few_threads(len(train)):
        result = backtest(panel, schema, candidates, metric, definition)
        search_seconds = time.monotonic() - started
        schema.decision |= learn_intervals(result.predictions, definition)
        best = result.leaderboard[0]
        history = panel_of(whole, schema)
        started = time.monotonic()
        forecaster = build_forecaster(
            candidates[best.candidate], best.settings, schema, definition
        )
        forecaster.fit(history.head(history.periods, schema.decision["gaps"]))
        fit_seconds = time.monotonic() - started
    features = whole[[column.name for column in schema.features]]
    return Learnt(
        result,
        Continued(forecaster).remember(history),
        schema,
        whole[KEY].to_numpy("uint64"),
        features.tail(REFERENCE_ROWS),
        search_seconds,
        fit_seconds,
        judged_by="the backtest",
    )
