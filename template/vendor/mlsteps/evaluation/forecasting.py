"""What the evaluation of a forecaster shows."""

import numpy as np
import pandas as pd

from ..modeling.predictor import Predictor
from ..plots import BLUE, GREY, INK, ORANGE, new_figure, show_dates
from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..problem.calendar import Calendar
from ..problem.definition import Definition
from ..problem.series import ONLY, SERIES
from ..report import figure
from .gate import Check

__all__ = ["enough", "figures", "outcome"]

SHOWN_SERIES = 6
SHOWN_HORIZONS = 4  # of the history before the test
LEAST_ANSWERS = 6


def enough(predictions: pd.DataFrame, definition: Definition) -> Check:
    """Check that the test can carry an interval: one of few dates looks surer than it is."""
    dates = len(predictions)
    words = f"{dates:,} values in the test; at least {LEAST_ANSWERS} are needed to tell"
    return Check(dates >= LEAST_ANSWERS, words)


def outcome(
    predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> dict[str, object]:
    """Return key figures in words: what the intervals cover, and how wide they are."""
    inside = predictions["true"].between(predictions["low"], predictions["high"])
    covered = predictor.schema.decision["covered"]
    return {
        "intervals are to cover": f"{definition.evaluation.interval:.0%}",
        "they cover of the test": f"{inside.mean():.1%}",
        "and of the backtest": "unknown" if covered is None else f"{covered:.1%}",
        "median width": float((predictions["high"] - predictions["low"]).median()),
        "mean error (forecast − true)": float((predictions["prediction"] - predictions["true"]).mean()),
    }


def figures(
    predictions: pd.DataFrame, panel: Panel, schema: Schema, definition: Definition
) -> list[str]:
    """Return the plots of the test: series with their forecasts, errors by step, residuals."""
    errors = (predictions["prediction"] - predictions["true"]).abs() / predictions["unit"]
    by_series = errors.groupby(predictions[SERIES]).mean().sort_values()
    places = np.linspace(0, len(by_series) - 1, min(SHOWN_SERIES, len(by_series))).round()
    shown = definition.evaluation.shown_series or [by_series.index[int(k)] for k in places]
    lines = [
        _plot_series(name, predictions[predictions[SERIES] == name], panel, schema, definition)
        for name in shown
        if name in by_series.index
    ]
    return [*lines, _plot_steps(predictions, errors), _plot_residuals(predictions)]


def _plot_series(
    name: str, part: pd.DataFrame, panel: Panel, schema: Schema, definition: Definition
) -> str:
    decision = schema.decision
    calendar = Calendar(decision["frequency"], decision["place"])
    periods = (part["origin"] + part["step"] - 1).to_numpy()
    since = max(panel.start, periods.min() - SHOWN_HORIZONS * definition.problem.horizon)
    history = panel.history[panel.names.index(name), since - panel.start :]
    plot, axes = new_figure()
    show_dates(axes)
    axes.fill_between(calendar.dates(periods), part["low"], part["high"], color=BLUE, alpha=0.2)
    axes.plot(calendar.dates(since + np.arange(len(history))), history, color=INK, linewidth=1)
    axes.plot(calendar.dates(periods), part["prediction"], color=BLUE)
    mase = float(((part["prediction"] - part["true"]).abs() / part["unit"]).mean())
    title = "The test" if name == ONLY else name
    interval = f"{definition.evaluation.interval:.0%} interval"
    return figure(plot, f"The forecast with its {interval}, and what came; MASE {mase:.2f}.", title)


def _plot_steps(predictions: pd.DataFrame, errors: pd.Series) -> str:
    plot, axes = new_figure()
    means = errors.groupby(predictions["step"]).mean()
    axes.plot(means.index, means, "o-", color=ORANGE)
    axes.axhline(1, color=GREY, linestyle=":")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="periods ahead", ylabel="MASE")
    return figure(plot, "How errors grow with the distance.", "Errors by step")


def _plot_residuals(predictions: pd.DataFrame) -> str:
    plot, axes = new_figure()
    axes.hist((predictions["true"] - predictions["prediction"]) / predictions["unit"], bins=30, color=BLUE)
    axes.axvline(0, color=GREY, linestyle=":")
    axes.set(xlabel="(true − forecast) / usual change", ylabel="values")
    return figure(plot, "In units of the usual change of each series.", "Residuals")
