"""What is particular to exploring series: how they, their season and their memory are drawn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..plots import BLUE, GREY, ORANGE, new_figure, show_dates
from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..preparation.series import as_numbers
from ..problem.calendar import Calendar

__all__ = ["plot_correlation", "plot_history", "plot_known", "plot_season", "seasonal_strength"]

LONGEST_MEMORY = 40
MOST_KNOWN = 6


def seasonal_strength(values: np.ndarray, season: int) -> float:
    """Return the share of what the trend leaves that the season explains, 0 to 1.

    Hyndman and Athanasopoulos (2021), "Forecasting: principles and practice", section 4.3, with a
    moving average as the trend.

    Parameters
    ----------
    values : (periods,)
        NaN where there is no value.
    """
    rest, means = _season_means(values, season)
    if season < 2 or np.nanvar(rest) == 0:
        return 0.0
    return float(np.clip(1 - np.nanvar(rest - means) / np.nanvar(rest), 0, 1))


def plot_history(panel: Panel, k: int, calendar: Calendar) -> Figure:
    """Draw a series; a dot stands where it has a gap."""
    length = int(panel.lengths()[k])
    values = panel.history[k, panel.periods - length :]
    dates = calendar.dates(panel.end - length + np.arange(length))
    plot, axes = new_figure()
    show_dates(axes)
    axes.plot(dates, values, color=BLUE, linewidth=1)
    gaps = np.isnan(values)
    line = pd.Series(values).interpolate().to_numpy()
    axes.plot(dates[gaps], line[gaps], "o", color=ORANGE, markersize=2)
    return plot


def plot_season(panel: Panel, season: int) -> Figure:
    """Draw the mean shape of the season of each series, in units of its spread."""
    found = []
    for row in panel.history:
        rest, means = _season_means(row, season)
        found.append(means[-season:] / (np.nanstd(rest) or 1.0))
    shapes = np.roll(np.array(found), panel.end % season, axis=1)
    plot, axes = new_figure()
    places = np.arange(season) + 1
    axes.plot(places, shapes[:30].T, color=GREY, linewidth=0.6, alpha=0.6)
    axes.plot(places, np.nanmedian(shapes, axis=0), color=BLUE)
    axes.set(xlabel="period of the season", ylabel="above its level")
    return plot


def plot_correlation(panel: Panel, season: int) -> Figure:
    """Draw how changes hang together with those before; the season is orange."""
    changes = np.diff(panel.history, axis=1)
    lags = range(1, min(max(LONGEST_MEMORY, 2 * season), changes.shape[1] // 2, 120) + 1)
    found = []
    for lag in lags:
        pairs = zip(changes[:, lag:], changes[:, :-lag], strict=True)
        found.append(np.nanmean([_correlation(now, then) for now, then in pairs]))
    plot, axes = new_figure()
    colours = [ORANGE if season > 1 and lag % season == 0 else BLUE for lag in lags]
    axes.bar(list(lags), found, color=colours)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="periods before")
    return plot


def plot_known(panel: Panel, rows: pd.DataFrame, schema: Schema) -> dict[str, tuple[Figure, str]]:
    """Draw the target against each column that is known ahead; return plots and captions."""
    names = list(as_numbers(rows, schema).columns)[:MOST_KNOWN]
    season = schema.decision["season"]
    changes = panel.history[:, season:] - panel.history[:, :-season]
    plots = {}
    for place, name in enumerate(names):
        known = panel.known[:, season : panel.periods, place]
        there = ~np.isnan(changes)
        plot, axes = new_figure(grid="both")
        axes.plot(known[there], changes[there], "o", color=BLUE, alpha=0.3)
        axes.set(xlabel=name, ylabel=f"change of {schema.target}")
        plots[name] = plot, f"correlation {_correlation(known[there], changes[there]):.2f}"
    return plots


def _season_means(values: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a moving average leaves, and its mean in each period of the season."""
    series = pd.Series(values)
    rest = series - series.rolling(max(season, 2), center=True, min_periods=1).mean()
    means = rest.groupby(np.arange(len(rest)) % season).transform("mean")
    return rest.to_numpy(), means.to_numpy()


def _correlation(now: np.ndarray, then: np.ndarray) -> float:
    both = ~(np.isnan(now) | np.isnan(then))
    if both.sum() < 3 or np.std(now[both]) == 0 or np.std(then[both]) == 0:
        return np.nan
    return float(np.corrcoef(now[both], then[both])[0, 1])
