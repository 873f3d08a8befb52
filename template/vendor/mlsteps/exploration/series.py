"""The sections of the report that show the history of series before the test."""

import numpy as np
import pandas as pd

from ..plots import BLUE, GREY, ORANGE, new_figure, show_dates
from ..preparation.schema import Schema
from ..preparation.series import calendar_of, panel_of
from ..problem.seasons import list_seasons, try_seasons
from ..report import columns, facts, figure, heading, number, paragraph, table

SHOWN_SERIES = 9
LONGEST_LAG = 40


def summarize_series(rows: pd.DataFrame, schema: Schema) -> str:
    """Return what was found, in a line."""
    series, seasons = describe_series(rows, schema), schema.decision["seasons"]
    found = "no season was found"
    if seasons:
        strength, told = series["season explains"].mean(), list_seasons(seasons)
        found = f"a season of {told} explains {strength:.0%} of what the trend does not"
    return f"{len(series):,} series of {series['periods'].max():,} periods before the test; {found}"


def series_sections(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the standard sections of series: their history, season and autocorrelation.

    Parameters
    ----------
    rows : DataFrame
        The rows of train.parquet, or those of some series.
    schema : Schema
        Names the target, and holds the calendar and the season.

    Returns
    -------
    list of str
        HTML.

    Examples
    --------
    In the project's ``exploration/plots.py``, with a section of its own::

        return [*series_sections(rows, schema), heading("Holidays")]
    """
    described = describe_series(rows, schema)
    figures = {
        "Series": len(described),
        "Periods": int(described["periods"].max()),
        "Season": list_seasons(schema.decision["seasons"]),
        "Dates without a value": int(described["gaps"].sum()),
        "The same at every date": int((described["minimum"] == described["maximum"]).sum()),
    }
    return [
        facts(figures),
        *show_history(rows, schema),
        *show_season(rows, schema),
        heading("Every series"),
        table(described),
    ]


def describe_series(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a row for each series, the largest first."""
    panel, seasons = panel_of(rows, schema), schema.decision["seasons"]
    history = pd.DataFrame(panel.history.T, columns=panel.names)
    described = pd.DataFrame(
        {
            "from": calendar_of(schema).texts(panel.end - panel.lengths()),
            "periods": panel.lengths(),
            "gaps": panel.lengths() - history.count(),
            "minimum": history.min(),
            "median": history.median(),
            "maximum": history.max(),
            "zeros": (history == 0).sum() / history.count(),
            "season explains": history.apply(_seasonal_strength, seasons=seasons),
        }
    )
    return described.sort_values("median", ascending=False, kind="stable").rename_axis("series")


def show_history(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return a plot of each series, the largest first, as sections; a dot is a gap."""
    panel, described = panel_of(rows, schema), describe_series(rows, schema)
    dates, plots = calendar_of(schema).dates(np.arange(panel.start, panel.end)), []
    for name, line in described.head(SHOWN_SERIES).iterrows():
        values = pd.Series(panel.history[panel.names.index(name)], index=dates)[-line["periods"] :]
        gaps = values.interpolate()[values.isna()]
        fig, axes = new_figure()
        show_dates(axes)
        axes.plot(values.index, values, color=BLUE, linewidth=1)
        axes.plot(gaps.index, gaps, "o", color=ORANGE, markersize=2)
        caption = f"{line['periods']:,} periods, typically {number(line['median'])}"
        plots.append(figure(fig, caption, str(name)))
    shown = (
        f"{len(plots)} of {len(described):,}, the largest first. Dots are dates without a value."
    )
    return [heading("The series"), paragraph(shown), columns(*plots)]


def show_season(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the mean shape of each season, its test, and the autocorrelation of the changes."""
    panel, seasons, figures = panel_of(rows, schema), schema.decision["seasons"], []
    history = pd.DataFrame(panel.head(panel.periods, schema.decision["gaps"]).history.T)
    history.index += panel.start
    for season in seasons:
        rest = _without_trend(history, season)
        shapes = rest.groupby(_places(rest, season)).mean() / rest.std(ddof=0)
        fig, axes = new_figure()
        axes.plot(shapes.index + 1, shapes.iloc[:, :30], color=GREY, linewidth=0.6, alpha=0.6)
        axes.plot(shapes.index + 1, shapes.median(axis=1), color=BLUE)
        axes.set(xlabel="period of the season", ylabel="above its level")
        caption = "Each series against its own level; the line is the median of the series."
        figures.append(figure(fig, caption, f"The season of {season:.6g}"))
    changes = history.diff().iloc[1:]
    longest, whole = round(max(seasons, default=1)), [round(season) for season in seasons]
    lags = range(1, min(max(LONGEST_LAG, 2 * longest), len(changes) // 2, 120) + 1)
    colours = [BLUE if all(lag % season for season in whole) else ORANGE for lag in lags]
    fig, axes = new_figure()
    axes.bar(lags, [changes.corrwith(changes.shift(k)).mean() for k in lags], color=colours)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="periods before")
    caption = "Correlation of the changes between periods with earlier ones, mean of the series."
    figures.append(figure(fig, caption, "Autocorrelation"))
    possible = [s for s in calendar_of(schema).seasons() if len(history) > 2 * s]
    tested = try_seasons(history, sorted({*possible, *seasons})).set_index("season")
    told = (
        "Which seasons are seen beside a trend, other seasons and an autoregression: the share of "
        "the error that each explains, and the p-value of an F test."
    )
    tests = [paragraph(told), table(tested)] if len(tested) else []
    return [heading("Season and autocorrelation"), columns(*figures), *tests]


def _seasonal_strength(values: pd.Series, seasons: list[float]) -> float:
    """Return the share of what the trend leaves that the seasons explain, 0 to 1.

    Hyndman and Athanasopoulos (2021), "Forecasting: principles and practice", section 4.3, with a
    moving average as the trend.
    """
    rest = left = _without_trend(values, max(seasons, default=2))
    for season in seasons:
        left = left - left.groupby(_places(left, season)).transform("mean")
    if np.nanvar(rest) == 0:
        return 0.0
    return float(np.clip(1 - np.nanvar(left) / np.nanvar(rest), 0, 1))


def _without_trend(values: pd.Series, season: float) -> pd.Series:
    """Return what a moving average over a season leaves."""
    return values - values.rolling(max(round(season), 2), center=True, min_periods=1).mean()


def _places(values: pd.Series, season: float) -> np.ndarray:
    """Return where in a season each value stands, from 0."""
    return (values.index % season * round(season) / season).astype(int)
