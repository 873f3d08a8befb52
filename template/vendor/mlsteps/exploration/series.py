"""Look at the history before the test, and write the card of the exploration."""

import numpy as np
import pandas as pd

from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..preparation.series import panel_of
from ..problem.calendar import Calendar
from ..report import columns, facts, figure, heading, notice, number, paragraph, table
from .forecasting import plot_correlation, plot_history, plot_known, plot_season, seasonal_strength

SHOWN_SERIES = 9


def standard_sections(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return what the report shows of series, their season and what is known ahead of time.

    Parameters
    ----------
    rows
        The history before the test.
    """
    panel = panel_of(rows, schema)
    season = schema.decision["season"]
    calendar = Calendar(schema.decision["frequency"], schema.decision["place"])
    described = _describe(panel, season, calendar)
    shown = [panel.names.index(name) for name in described.index[:SHOWN_SERIES]]
    more = (
        f"; {len(panel.names) - len(shown):,} smaller ones are not shown"
        if len(shown) < len(panel.names)
        else ""
    )
    filled = panel.head(panel.periods, schema.decision["gaps"])
    return [
        facts(
            {
                "Series": len(panel.names),
                "Periods": panel.periods,
                "Season": season if season > 1 else "none",
                "Dates without a value": int(described["gaps"].sum()),
            }
        ),
        *_notices(described),
        heading("The series"),
        paragraph(f"The largest first{more}. Dots are dates without a value."),
        columns(
            *(
                figure(
                    plot_history(panel, k, calendar),
                    f"{described['periods'].iloc[n]:,} periods, typically "
                    f"{number(described['median'].iloc[n])}",
                    panel.names[k],
                )
                for n, k in enumerate(shown)
            )
        ),
        heading("Season and memory"),
        columns(*_season(filled, season, calendar)),
        *_known(filled, rows, schema),
        heading("Every series"),
        table(described),
    ]


def summarize(rows: pd.DataFrame, schema: Schema) -> str:
    """Return what was found, in a line."""
    panel, season = panel_of(rows, schema), schema.decision["season"]
    explained = [seasonal_strength(row, season) for row in panel.history] if season > 1 else [0.0]
    return _summary(panel, season, float(np.mean(explained)))


def _describe(panel: Panel, season: int, calendar: Calendar) -> pd.DataFrame:
    """Return a line for each series, the largest first."""
    lines = []
    for name, row, length in zip(panel.names, panel.history, panel.lengths(), strict=True):
        present = row[~np.isnan(row)]
        (first,) = calendar.texts(np.array([panel.end - length]))
        lines.append(
            {
                "series": name,
                "from": first,
                "periods": int(length),
                "gaps": int(length - len(present)),
                "minimum": present.min(),
                "median": float(np.median(present)),
                "maximum": present.max(),
                "zeros": f"{(present == 0).mean():.1%}" if (present == 0).any() else "",
                "season explains": seasonal_strength(row, season),
            }
        )
    frame = pd.DataFrame(lines).set_index("series")
    return frame.sort_values("median", ascending=False, kind="stable")


def _summary(panel: Panel, season: int, strength: float) -> str:
    said = f"{len(panel.names):,} series of {panel.periods:,} periods before the test"
    if season > 1:
        return f"{said}; a season of {season} explains {strength:.0%} of what the trend does not"
    return f"{said}; no season was found"


def _notices(described: pd.DataFrame) -> list[str]:
    still = described.index[described["minimum"] == described["maximum"]]
    if still.empty:
        return []
    return [notice(f"The same at every date: {', '.join(still[:10])}.", "warn")]


def _season(panel: Panel, season: int, calendar: Calendar) -> list[str]:
    shape = figure(
        plot_season(panel, season),
        "Each series against its own level; the line is the median of the series.",
        "The season",
    )
    memory = figure(
        plot_correlation(panel, season),
        "Correlation of the changes from period to period with earlier ones, mean of the series.",
        "Autocorrelation",
    )
    return [shape, memory] if season > 1 else [memory]


def _known(panel: Panel, rows: pd.DataFrame, schema: Schema) -> list[str]:
    plots = plot_known(panel, rows, schema)
    if not plots:
        return []
    return [
        heading(f"What is known ahead of time, against {schema.target}"),
        paragraph(f"{schema.target.capitalize()} is shown against its own last season."),
        columns(*(figure(plot, caption, name) for name, (plot, caption) in plots.items())),
    ]
