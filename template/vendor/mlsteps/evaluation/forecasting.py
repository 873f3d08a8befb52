"""The test of series: the end that was kept back, against what was forecast of it."""

from typing import Any

import numpy as np
import pandas as pd

from ..files import read_frame
from ..modeling import store
from ..modeling.forecast_model import add_true, roll_on
from ..modeling.forecast_predictor import ForecastPredictor
from ..modeling.forecasters.naive import baselines
from ..plots import BLUE, GREY, INK, ORANGE, new_figure, show_dates
from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..preparation.series import calendar_of, panel_of
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics, evaluate_metrics
from ..problem.project import Project
from ..problem.series import ONLY, PERIOD, SERIES
from ..report import counted, figure, number
from .bootstrap import compare_pairs, measure
from .gate import Check, enough
from .result import TestResult, check_defined, costs_of

BLOCK = 3  # neighbouring dates are alike, so the bootstrap draws them together
LEAST_SERIES, LEAST_PATHS = 10, 5  # from which whole series are drawn, or whole forecasts
SURE = 0.8  # the share of resamples in which a model is better: as `improve` asks of a challenger
LEAST_VALUES = 6  # an interval of fewer looks surer than it is
SHOWN_SERIES = 6
SHOWN_HORIZONS = 4  # of the history before the test
MOST_SLICES = 200


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
    true, group = predictions["true"], bootstrap_groups(predictions)
    measured = measure(true, predictions, metrics, definition.search.seed, group=group)
    check_defined(measured, len(predictions), definition)
    plain = baselines(schema.decision["season"])
    rivals = {
        name: add_true(roll_on(plain[name], panel, begin, schema), panel)
        for name in sorted(plain, key=lambda name: name != definition.problem.baseline)
    }
    metric = metrics[definition.problem.metric]
    named = predictions.rename(columns={SERIES: "series"})
    future, label = predictor.typical_future(), panel.names[:1]
    return TestResult(
        target=true,
        predictions=named,
        features=named[["series", "origin", "step"]],
        schema=schema,
        definition=definition,
        metric=metric,
        costs=costs_of(run, lambda: predictor.forecast(series=label, future=future), times=2),
        rows=len(predictions),
        measured=measured,
        baselines={
            name: evaluate_metrics(metrics, rival["true"], rival) for name, rival in rivals.items()
        },
        checks=_checks(run, metric, predictions, rivals, definition),
        outcome=_outcome(predictions, schema, definition),
        slices=_by_series(predictions, metrics, definition),
        importance=[],
        loss="",
        plots=_plots(predictions, panel, schema, definition),
    )


def bootstrap_groups(predictions: pd.DataFrame) -> pd.Series:
    """Return which values the bootstrap draws together: their errors are alike.

    Whole series; of few, what was forecast of one at once; if that is few as well, blocks of dates.
    """
    series = predictions[SERIES]
    if series.nunique() >= LEAST_SERIES:
        return series
    paths = series + " " + predictions["origin"].astype("str")
    blocks = series + " " + (predictions[PERIOD] // BLOCK).astype("str")
    return paths if LEAST_PATHS <= paths.nunique() < blocks.nunique() else blocks


def _checks(
    run: dict[str, Any],
    metric: Metric,
    predictions: pd.DataFrame,
    rivals: dict[str, pd.DataFrame],
    definition: Definition,
) -> list[Check]:
    """Check that a model is surely better than the baseline, and not worse than the other one.

    A baseline that was chosen may serve: it is what there is, and the command line says so.
    """
    model, true, group = run["model"], predictions["true"], bootstrap_groups(predictions)
    checks = [enough({"values in the test": (len(predictions), LEAST_VALUES)})]
    if predictions["origin"].nunique() == 1:
        one = "The test is one horizon, and another one may tell otherwise"
        checks.append(Check(True, f"{one}; more history, or a shorter horizon, gives more", True))
    if model in rivals:
        why = "No candidate was surely better than the baselines in the backtest"
        if run.get("weights"):  # a version of before has none
            why = "A baseline was surely better than the ensemble in the backtest"
        return [*checks, Check(True, f"{why}, so the baseline {model} itself forecasts", True)]
    for name, rival in rivals.items():
        seed = definition.search.seed
        other, own, gains = compare_pairs(metric, true, rival, predictions, seed, group)
        share = float(np.mean(gains > 0)) if len(gains) else 0.0
        needed = SURE if name == definition.problem.baseline else 1 - SURE
        reason = (
            f"{metric.title} of the baseline {name} is {number(other)}; on the same dates the "
            f"model is better by {number(metric.gain(own, other))}, and in {share:.0%} of "
            f"resamples; {needed:.0%} are needed"
        )
        checks.append(Check(share >= needed, reason))
    return checks


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
        "MASE is in units of": f"the mean change in {counted(schema.decision['season'], 'period')}",
        "median width": float((predictions["high"] - predictions["low"]).median()),
        "mean error (forecast − true)": float(errors.mean()),
        "forecasts of each series": predictions["origin"].nunique(),
    }


def _by_series(
    predictions: pd.DataFrame, metrics: Metrics, definition: Definition
) -> list[dict[str, Any]]:
    """Return the metric of each series, the worst first; nothing if there is but one."""
    name, seed, found = definition.problem.metric, definition.search.seed, []
    for label, part in predictions.groupby(SERIES):
        one, block = {name: metrics[name]}, bootstrap_groups(part)
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
