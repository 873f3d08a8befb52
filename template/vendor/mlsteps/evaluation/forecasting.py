"""The test of series: the end that was kept back, against what was forecast of it."""

from typing import Any

import numpy as np
import pandas as pd

from ..files import read_frame
from ..modeling import store
from ..modeling.backtest import origins_of_test
from ..modeling.forecast_model import add_true, forecast_ahead
from ..modeling.forecasters import Drift, SeasonalNaive
from ..modeling.predictor import Predictor
from ..plots import BLUE, GREY, INK, ORANGE, new_figure, show_dates
from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..preparation.series import panel_of
from ..problem.calendar import Calendar
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics, evaluate_metrics
from ..problem.project import Project
from ..problem.series import ONLY, PERIOD, SERIES
from ..report import figure
from .bootstrap import measure
from .gate import Check
from .result import TestResult, check_defined, costs_of, milliseconds

BLOCK = 3  # neighbouring dates are alike, so the bootstrap draws them together
LEAST_SERIES = 10  # from which whole series are drawn
LEAST_VALUES = 6  # an interval of fewer looks surer than it is
SHOWN_SERIES = 6
SHOWN_HORIZONS = 4  # of the history before the test
MOST_SLICES = 200


def test_model(
    project: Project, predictor: Predictor, run: dict[str, Any], metrics: Metrics
) -> TestResult:
    """Compare the test with its forecasts, which the train step has stored with the version.

    They begin where the test does, and anew after each horizon. The stored model knows the test
    already; they are those of its candidate, fitted to what came before.
    """
    definition, schema, seed = project.definition, predictor.schema, project.definition.search.seed
    train = read_frame(project.prepared / "train.parquet")
    test = read_frame(project.prepared / "test.parquet")
    panel, begin = panel_of(pd.concat([train, test]), schema), panel_of(train, schema).periods
    forecasts = read_frame(predictor.folder / store.TEST_FORECASTS)
    predictions = add_true(predictor.complete(forecasts), panel)
    group = bootstrap_groups(predictions[SERIES], predictions[PERIOD])
    metric = metrics[definition.problem.metric]
    measured = measure(predictions["true"], predictions, metrics, seed, group=group)
    check_defined(measured, len(predictions), definition)
    named = predictions.rename(columns={SERIES: "series"})
    enough = f"{len(named):,} values in the test; at least {LEAST_VALUES} are needed to tell"
    return TestResult(
        target=predictions["true"],
        predictions=named,
        features=named[["series", "origin", "step"]],
        schema=schema,
        definition=definition,
        metric=metric,
        costs=costs_of(run, _milliseconds(predictor)),
        rows=len(predictions),
        measured=measured,
        baselines=_baselines(panel, begin, schema, metrics, definition),
        checks=[Check(len(predictions) >= LEAST_VALUES, enough)],
        outcome=_outcome(predictions, schema, definition),
        slices=_by_series(predictions, metric, definition),
        importance=[],
        loss="",
        plots=_plots(predictions, panel, schema, definition),
    )


def bootstrap_groups(series: pd.Series, periods: pd.Series) -> pd.Series:
    """Return which values the bootstrap draws together: series or, of few, blocks of dates."""
    if series.nunique() >= LEAST_SERIES:
        return series
    return series + " " + (periods // BLOCK).astype("str")


def _baselines(
    panel: Panel, begin: int, schema: Schema, metrics: Metrics, definition: Definition
) -> dict[str, dict[str, float]]:
    """Return the metrics of the baselines, that of the definition first; they learn nothing."""
    season, horizon = schema.decision["season"], schema.decision["horizon"]
    baselines = {"seasonal_naive": SeasonalNaive(season), "drift": Drift()}
    found = {}
    for name in sorted(baselines, key=lambda name: name != definition.problem.baseline):
        parts = [
            forecast_ahead(
                baselines[name], head, season, min(horizon, panel.periods - head.periods)
            )
            for head in origins_of_test(panel, begin, schema)
        ]
        forecasts = add_true(pd.concat(parts, ignore_index=True), panel)
        found[name] = evaluate_metrics(metrics, forecasts["true"], forecasts)
    return found


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
    predictions: pd.DataFrame, metric: Metric, definition: Definition
) -> list[dict[str, Any]]:
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
    return found[:MOST_SLICES] if len(found) > 1 else []


def _milliseconds(predictor: Predictor) -> float:
    """Return the median time of forecasting one series as far as the model can."""
    (name, *_) = predictor.describe()["series"]["labels"]
    future = predictor.typical_future()
    return milliseconds(lambda: predictor.forecast(series=[name], future=future), times=10)


def _plots(
    predictions: pd.DataFrame, panel: Panel, schema: Schema, definition: Definition
) -> list[str]:
    """Return the plots of the test: series with their forecasts, errors by step, residuals."""
    residuals = (predictions["true"] - predictions["prediction"]) / predictions["scale"]
    by_series = residuals.abs().groupby(predictions[SERIES]).mean().sort_values()
    places = np.linspace(0, len(by_series) - 1, min(SHOWN_SERIES, len(by_series))).round()
    shown = definition.evaluation.shown_series or [by_series.index[int(k)] for k in places]
    lines = [
        _plot_series(
            predictions[predictions[SERIES] == name], by_series[name], panel, schema, definition
        )
        for name in shown
        if name in by_series.index
    ]
    return [*lines, _plot_steps(predictions["step"], residuals.abs()), _plot_residuals(residuals)]


def _plot_series(
    part: pd.DataFrame, mase: float, panel: Panel, schema: Schema, definition: Definition
) -> str:
    name, periods = part[SERIES].iloc[0], part[PERIOD].to_numpy()
    calendar = Calendar(schema.decision["frequency"], schema.decision["place"])
    since = max(panel.start, periods.min() - SHOWN_HORIZONS * definition.problem.horizon)
    history = panel.history[panel.names.index(name), since - panel.start :]
    plot, axes = new_figure()
    show_dates(axes)
    axes.fill_between(calendar.dates(periods), part["low"], part["high"], color=BLUE, alpha=0.2)
    axes.plot(calendar.dates(since + np.arange(len(history))), history, color=INK, linewidth=1)
    axes.plot(calendar.dates(periods), part["prediction"], color=BLUE)
    title = "The test" if name == ONLY else name
    interval = f"{definition.evaluation.interval:.0%} interval"
    return figure(plot, f"The forecast with its {interval}, and what came; MASE {mase:.2f}.", title)


def _plot_steps(steps: pd.Series, errors: pd.Series) -> str:
    plot, axes = new_figure()
    means = errors.groupby(steps).mean()
    axes.plot(means.index, means, "o-", color=ORANGE)
    axes.axhline(1, color=GREY, linestyle=":")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="periods ahead", ylabel="MASE")
    return figure(plot, "How errors grow with the distance.", "Errors by step")


def _plot_residuals(residuals: pd.Series) -> str:
    plot, axes = new_figure()
    axes.hist(residuals, bins=30, color=BLUE)
    axes.axvline(0, color=GREY, linestyle=":")
    axes.set(xlabel="(true − forecast) / usual change", ylabel="values")
    return figure(plot, "Divided by the usual change of each series.", "Residuals")
