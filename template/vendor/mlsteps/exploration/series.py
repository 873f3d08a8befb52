"""The sections of the report that show the history of series before the test."""

import numpy as np
import pandas as pd

from ..plots import BLUE, GREY, ORANGE, new_figure, show_dates
from ..preparation.schema import Schema
from ..preparation.series import calendar_of, number_names, panel_of
from ..problem.series import PERIOD
from ..report import columns, facts, figure, heading, notice, number, paragraph, table
from .row_plots import draw_points

SHOWN_SERIES = 9
SHOWN_COLUMNS = 6
LONGEST_LAG = 40


def summarize_series(rows: pd.DataFrame, schema: Schema) -> str:
    """Return what was found, in a line."""
    panel, season = panel_of(rows, schema), schema.decision["season"]
    found = "no season was found"
    if season > 1:
        strength = np.mean([_seasonal_strength(values, season) for values in panel.history])
        found = f"a season of {season} explains {strength:.0%} of what the trend does not"
    return f"{len(panel.names):,} series of {panel.periods:,} periods before the test; {found}"


def series_sections(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the standard sections of series: their history, season and autocorrelation.

    Parameters
    ----------
    rows : DataFrame
        The rows of train.parquet, or those of some series.
    schema : Schema
        Names the target and what is known ahead, and holds the calendar and the season.

    Returns
    -------
    list of str
        HTML.
    """
    described, season = _describe(rows, schema), schema.decision["season"]
    figures = {
        "Series": len(described),
        "Periods": int(np.ptp(rows[PERIOD])) + 1,
        "Season": season if season > 1 else "none",
        "Dates without a value": int(described["gaps"].sum()),
    }
    constant = described.index[described["minimum"] == described["maximum"]]
    return [
        facts(figures),
        *(notice(f"The same at every date: {name}.", "warn") for name in constant[:10]),
        *show_history(rows, schema),
        *show_season(rows, schema),
        *show_known(rows, schema),
        heading("Every series"),
        table(described),
    ]


def show_history(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return a plot of each series, the largest first; a dot stands where it has a gap.

    Parameters and what is returned are those of `series_sections`.
    """
    panel, calendar, described = (
        panel_of(rows, schema),
        calendar_of(schema),
        _describe(rows, schema),
    )
    shown, plots = described.head(SHOWN_SERIES), []
    for name, line in shown.iterrows():
        values = pd.Series(panel.history[panel.names.index(name), -line["periods"] :])
        dates = calendar.dates(np.arange(panel.end - line["periods"], panel.end))
        plot, axes = new_figure()
        show_dates(axes)
        axes.plot(dates, values, color=BLUE, linewidth=1)
        gaps = values.isna()
        axes.plot(dates[gaps], values.interpolate()[gaps], "o", color=ORANGE, markersize=2)
        caption = f"{line['periods']:,} periods, typically {number(line['median'])}"
        plots.append(figure(plot, caption, str(name)))
    left = len(described) - len(shown)
    more = f"; {left:,} smaller ones are not shown" if left else ""
    return [
        heading("The series"),
        paragraph(f"The largest first{more}. Dots are dates without a value."),
        columns(*plots),
    ]


def show_season(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the mean shape of the season, and the autocorrelation of the changes.

    Parameters and what is returned are those of `series_sections`.
    """
    whole, season = panel_of(rows, schema), schema.decision["season"]
    panel, figures = whole.head(whole.periods, schema.decision["gaps"]), []
    if season > 1:
        shapes = []
        for values in panel.history:
            rest, means = _season_means(values, season)
            shapes.append(means[-season:] / (np.nanstd(rest) or 1.0))
        lines, places = np.roll(shapes, panel.end % season, axis=1), np.arange(season) + 1
        plot, axes = new_figure()
        axes.plot(places, lines[:30].T, color=GREY, linewidth=0.6, alpha=0.6)
        axes.plot(places, np.nanmedian(lines, axis=0), color=BLUE)
        axes.set(xlabel="period of the season", ylabel="above its level")
        caption = "Each series against its own level; the line is the median of the series."
        figures.append(figure(plot, caption, "The season"))
    changes = pd.DataFrame(np.diff(panel.history, axis=1).T)
    lags = range(1, min(max(LONGEST_LAG, 2 * season), len(changes) // 2, 120) + 1)
    colours = [ORANGE if season > 1 and lag % season == 0 else BLUE for lag in lags]
    plot, axes = new_figure()
    axes.bar(lags, [changes.corrwith(changes.shift(k)).mean() for k in lags], color=colours)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="periods before")
    caption = (
        "Correlation of the changes from period to period with earlier ones, mean of the series."
    )
    figures.append(figure(plot, caption, "Autocorrelation"))
    return [heading("Season and autocorrelation"), columns(*figures)]


def show_known(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the target against each column that is known ahead, if there are any.

    Parameters and what is returned are those of `series_sections`.
    """
    whole, season = panel_of(rows, schema), schema.decision["season"]
    panel, plots = whole.head(whole.periods, schema.decision["gaps"]), []
    changes = panel.history[:, season:] - panel.history[:, :-season]
    for place, name in enumerate(number_names(schema)[:SHOWN_COLUMNS]):
        known = panel.known[:, season : panel.periods, place]
        both = pd.DataFrame({"x": known.ravel(), "y": changes.ravel()}).dropna()
        plot, axes = new_figure(grid="both")
        draw_points(axes, both["x"], both["y"])
        axes.set(xlabel=name, ylabel=f"change of {schema.target}")
        plots.append(figure(plot, f"correlation {both['x'].corr(both['y']):.2f}", name))
    if not plots:
        return []
    return [
        heading(f"What is known ahead of time, against {schema.target}"),
        paragraph(f"{schema.target.capitalize()} is shown against its own last season."),
        columns(*plots),
    ]


def _describe(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a row for each series, the largest first."""
    panel, season = panel_of(rows, schema), schema.decision["season"]
    history = pd.DataFrame(panel.history.T, columns=panel.names)
    zeros, lengths = (history == 0).sum() / history.count(), panel.lengths()
    described = pd.DataFrame(
        {
            "from": calendar_of(schema).texts(panel.end - lengths),
            "periods": lengths,
            "gaps": lengths - history.count(),
            "minimum": history.min(),
            "median": history.median(),
            "maximum": history.max(),
            "zeros": [f"{share:.1%}" if share else "" for share in zeros],
            "season explains": [_seasonal_strength(values, season) for values in panel.history],
        }
    )
    described = described.sort_values("median", ascending=False, kind="stable")
    return described.rename_axis("series")


def _seasonal_strength(values: np.ndarray, season: int) -> float:
    """Return the share of what the trend leaves that the season explains, 0 to 1.

    Hyndman and Athanasopoulos (2021), "Forecasting: principles and practice", section 4.3, with a
    moving average as the trend.
    """
    rest, means = _season_means(values, season)
    if season < 2 or np.nanvar(rest) == 0:
        return 0.0
    return float(np.clip(1 - np.nanvar(rest - means) / np.nanvar(rest), 0, 1))


def _season_means(values: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a moving average leaves, and its mean in each period of the season."""
    series = pd.Series(values)
    rest = series - series.rolling(max(season, 2), center=True, min_periods=1).mean()
    means = rest.groupby(np.arange(len(rest)) % season).transform("mean")
    return rest.to_numpy(), means.to_numpy()
