"""The test on series: what wins the backtest forecasts the end that was kept back."""

import statistics
import time
from typing import Any

import pandas as pd
from sklearn.base import clone

from ..files import read_frame
from ..modeling.backtest import forecast_origin
from ..modeling.compare import few_threads
from ..modeling.forecasters import Drift, SeasonalNaive
from ..modeling.predictor import Predictor
from ..preparation.panel import Panel
from ..preparation.series import panel_of
from ..problem.definition import Definition
from ..problem.project import Project
from ..problem.series import SERIES, least_periods
from ..modeling.forecasting import cover
from ..problem.metric import Metric, Metrics
from . import forecasting
from .bootstrap import evaluate_metrics, measure
from .tested import TestResult, check_defined, costs_of

BLOCK = 3  # neighbouring dates are alike, so the bootstrap draws them together
LEAST_SERIES = 10  # from which whole series are drawn


def test_model(
    project: Project, predictor: Predictor, run: dict[str, Any], metrics: Metrics
) -> TestResult:
    """Forecast the test from the history before it, as often as it has horizons.

    The stored model knows the test already, so its candidate is fitted anew to what came before.

    Raises
    ------
    UserError
        If the prepared rows are missing or damaged, or do not define the metric.
    """
    definition, schema = project.definition, predictor.schema
    train = read_frame(project.prepared / "train.parquet")
    test = read_frame(project.prepared / "test.parquet")
    panel = panel_of(pd.concat([train, test]), schema)
    begin = panel_of(train, schema).periods
    season, horizon = schema.decision["season"], definition.problem.horizon
    heads = [
        panel.head(origin, schema.decision["gaps"], least_periods(season))
        for origin in range(begin, panel.periods, horizon)
    ]
    rivals = {"seasonal_naive": SeasonalNaive(season), "drift": Drift()}
    chosen = definition.problem.baseline
    order = [chosen, *(name for name in rivals if name != chosen)]
    with few_threads(len(train)):
        forecaster = clone(predictor.pipeline.forecaster)
        forecaster.fit(heads[0])
        predictions = _answer(forecaster, panel, heads, season, horizon)
        guesses = {n: _answer(rivals[n], panel, heads, season, horizon) for n in order}
    predictions = cover(predictions, schema.decision)
    group = alike(predictions[SERIES], predictions["origin"] + predictions["step"])
    measured = measure(predictions["true"], predictions, metrics, definition.search.seed, group=group)
    check_defined(measured, len(predictions), definition)
    return TestResult(
        target=predictions["true"],
        predictions=predictions.rename(columns={SERIES: "series"}),
        features=predictions[[SERIES, "origin", "step"]].rename(columns={SERIES: "series"}),
        schema=schema,
        definition=definition,
        metric=metrics[definition.problem.metric],
        costs=costs_of(run, _milliseconds(predictor)),
        rows=len(predictions),
        measured=measured,
        baselines={n: evaluate_metrics(metrics, g["true"], g) for n, g in guesses.items()},
        checks=[forecasting.enough(predictions, definition)],
        outcome=forecasting.outcome(predictions, predictor, definition),
        slices=_by_series(predictions, metrics[definition.problem.metric], definition),
        importance=[],
        loss="",
        plots=forecasting.figures(predictions, panel, schema, definition),
    )


def _answer(
    forecaster: Any, panel: Panel, heads: list[Panel], season: int, horizon: int
) -> pd.DataFrame:
    parts = [forecast_origin(forecaster, panel, head, season, horizon) for head in heads]
    return pd.concat(parts, ignore_index=True)


def alike(series: pd.Series, periods: pd.Series) -> pd.Series:
    """Return which answers the bootstrap draws together: series or, of few, blocks of dates."""
    if series.nunique() >= LEAST_SERIES:
        return series
    return series + " " + (periods // BLOCK).astype("str")


def _by_series(predictions: pd.DataFrame, metric: Metric, definition: Definition) -> list[dict[str, Any]]:
    """Return the metric of each series, the worst first; nothing if there is but one."""
    name, seed = definition.problem.metric, definition.search.seed
    found = []
    for label, part in predictions.groupby(SERIES):
        value = evaluate_metrics({name: metric}, part["true"], part).get(name)
        if value is None:
            continue
        block = part["step"] // BLOCK
        spread = measure(part["true"], part, {name: metric}, seed, most=200, group=block)
        numbers = spread.get(name, {"value": value, "low": value, "high": value})
        found.append({"column": "series", "slice": label, "rows": len(part), **numbers})
    found.sort(key=lambda line: line["value"], reverse=not metric.higher_is_better)
    return found[:200] if len(found) > 1 else []


def _milliseconds(predictor: Predictor) -> float:
    """Return the median time of forecasting one series as far as the model can."""
    (name, *_) = predictor.describe()["series"]["labels"]
    future, seconds = predictor.typical_future(), []
    with few_threads(1):
        for _ in range(10):
            started = time.perf_counter()
            predictor.forecast(series=[name], future=future)
            seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)
