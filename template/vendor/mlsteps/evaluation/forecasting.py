"""The test of series: the end that was kept back, against what was forecast of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..files import read_frame
from ..modeling import store
from ..modeling.forecast_model import add_true, roll_on
from ..modeling.forecast_predictor import ForecastPredictor
from ..modeling.forecasters import Drift, SeasonalNaive
from ..plots import BLUE, GREY, INK, ORANGE, new_figure, show_dates
from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..preparation.series import calendar_of, panel_of
from ..problem.definition import Definition
from ..problem.metric import Metrics, evaluate_metrics
from ..problem.project import Project
from ..problem.series import ONLY, PERIOD, SERIES
from ..report import figure
from .bootstrap import measure
from .gate import enough
from .result import TestResult, check_defined, costs_of

BLOCK = 3  # neighbouring dates are alike, so the bootstrap draws them together
LEAST_SERIES = 10  # from which whole series are drawn
LEAST_VALUES = 6  # an interval of fewer looks surer than it is
SHOWN_SERIES = 6
SHOWN_HORIZONS = 4  # of the history before the test
MOST_SLICES = 200
BASELINES: dict[str, Callable[[Schema], Any]] = {
    "seasonal_naive": lambda schema: SeasonalNaive(schema.decision["season"]),
    "drift": lambda _: Drift(),
}


def test_model(
    project: Project, predictor: ForecastPredictor, run: dict[str, Any], metrics: Metrics
) -> TestResult:
    """Compare the test with its forecasts, which the train step has stored with the version.

    They begin where the test does, and anew after each horizon. The stored model knows the test
    already; they are those of its candidate, fitted to what came before.
    """
    definition, schema = project.definition, predictor.schema
    train = read_frame(project.prepared / "train.parquet")
    test = read_frame(project.prepared / "test.parquet")
    panel, begin = panel_of(pd.concat([train, test]), schema), panel_of(train, schema).periods
    forecasts = read_frame(predictor.folder / store.TEST_FORECASTS)
    predictions = add_true(predictor.complete(forecasts), panel)
    group = bootstrap_groups(predictions[SERIES], predictions[PERIOD])
    measured = measure(
        predictions["true"], predictions, metrics, definition.search.seed, group=group
    )
    check_defined(measured, len(predictions), definition)
    baselines = {}
    for name in sorted(BASELINES, key=lambda name: name != definition.problem.baseline):
        found = add_true(roll_on(BASELINES[name](schema), panel, begin, schema), panel)
        baselines[name] = evaluate_metrics(metrics, found["true"], found)
    named = predictions.rename(columns={SERIES: "series"})
    future, label = predictor.typical_future(), panel.names[:1]
    return TestResult(
        target=predictions["true"],
        predictions=named,
        features=named[["series", "origin", "step"]],
        schema=schema,
        definition=definition,
        metric=metrics[definition.problem.metric],
        costs=costs_of(run, lambda: predictor.forecast(series=label, future=future), times=10),
        rows=len(predictions),
        measured=measured,
        baselines=baselines,
        checks=[enough({"values in the test": (len(predictions), LEAST_VALUES)})],
        outcome=_outcome(predictions, schema, definition),
        slices=_by_series(predictions, metrics, definition),
        importance=[],
        loss="",
        plots=_plots(predictions, panel, schema, definition),
    )


def bootstrap_groups(series: pd.Series, periods: pd.Series) -> pd.Series:
    """Return which values the bootstrap draws together: series or, of few, blocks of dates."""
    if series.nunique() >= LEAST_SERIES:
        return series
    return series + " " + (periods // BLOCK).astype("str")


def _outcome(
    predictions: pd.DataFrame, schema: Schema, definition: Definition
) -> dict[str, object]:
    """Return key figures in words: what the intervals cover, and how wide they are."""
    inside = predictions["true"].between(predictions["low"], predictions["high"])
    covered = schema.decision["covered"]
    errors = predictions["prediction"] - predictions["true"]
    return {
        "intervals are to cover": f"{definition.evaluation.interval:.0%}",
        "they cover of the test": f"{inside.mean():.1%}",
        "and of the backtest": "unknown" if covered is None else f"{covered:.1%}",
        "median width": float((predictions["high"] - predictions["low"]).median()),
        "mean error (forecast − true)": float(errors.mean()),
    }


def _by_series(
    predictions: pd.DataFrame, metrics: Metrics, definition: Definition
) -> list[dict[str, Any]]:
    """Return the metric of each series, the worst first; nothing if there is but one."""
    name, seed, found = definition.problem.metric, definition.search.seed, []
    for label, part in predictions.groupby(SERIES):
        one, block = {name: metrics[name]}, part["step"] // BLOCK
        value = evaluate_metrics(one, part["true"], part).get(name)
        spread = measure(part["true"], part, one, seed, most=200, group=block)
        numbers = spread.get(name, {"value": value, "low": value, "high": value})
        if value is not None:
            found.append({"column": "series", "slice": label, "rows": len(part), **numbers})
    found.sort(key=lambda line: line["value"], reverse=not metrics[name].higher_is_better)
    return found[:MOST_SLICES] if len(found) > 1 else []


def _plots(
    predictions: pd.DataFrame, panel: Panel, schema: Schema, definition: Definition
) -> list[str]:
    """Return the plots of the test: series with their forecasts, errors by step, residuals."""
    residuals = (predictions["true"] - predictions["prediction"]) / predictions["scale"]
    by_series = residuals.abs().groupby(predictions[SERIES]).mean().sort_values()
    places = np.linspace(0, len(by_series) - 1, min(SHOWN_SERIES, len(by_series))).round()
    shown = definition.evaluation.shown_series or by_series.index[places.astype(int)]
    plots = []
    for name in by_series.index.intersection(shown, sort=False):
        part, calendar = predictions[predictions[SERIES] == name], calendar_of(schema)
        since = max(panel.start, part[PERIOD].min() - SHOWN_HORIZONS * definition.problem.horizon)
        history = panel.history[panel.names.index(name), since - panel.start :]
        dates = calendar.dates(part[PERIOD])
        plot, axes = new_figure()
        show_dates(axes)
        axes.fill_between(dates, part["low"], part["high"], color=BLUE, alpha=0.2)
        axes.plot(calendar.dates(np.arange(since, panel.end)), history, color=INK, linewidth=1)
        axes.plot(dates, part["prediction"], color=BLUE)
        interval = f"{definition.evaluation.interval:.0%} interval"
        caption = f"The forecast with its {interval}, and what came; MASE {by_series[name]:.2f}."
        plots.append(figure(plot, caption, "The test" if name == ONLY else name))
    plot, axes = new_figure()
    means = residuals.abs().groupby(predictions["step"]).mean()
    axes.plot(means.index, means, "o-", color=ORANGE)
    axes.axhline(1, color=GREY, linestyle=":")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="periods ahead", ylabel="MASE")
    plots.append(figure(plot, "How errors grow with the distance.", "Errors by step"))
    plot, axes = new_figure()
    axes.hist(residuals, bins=30, color=BLUE)
    axes.axvline(0, color=GREY, linestyle=":")
    axes.set(xlabel="(true − forecast) / usual change", ylabel="values")
    plots.append(figure(plot, "Divided by the usual change of each series.", "Residuals"))
    return plots
