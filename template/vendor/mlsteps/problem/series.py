"""Rows as series: each row has a series and a period, and no two rows have the same."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import UserError
from .calendar import Calendar, infer_calendar, place_calendar
from .columns import Inference, infer
from .definition import Definition
from .validation import convert_column

# Columns that are added to those of the data. Names of collected columns have no blanks around
# them, so none can be one of these.
SERIES, PERIOD = " series", " period"
SEPARATOR = " / "  # between the parts of a label
ONLY = "all"  # the label of the series where there is but one
SEASON_CORRELATION = 0.3  # of changes a season apart, from which there is a season
LONGER_SEASON = 0.1  # by how much a longer season must be stronger to be preferred


@dataclass(frozen=True)
class AlignedSeries:
    """Rows on a calendar.

    Attributes
    ----------
    rows : DataFrame
        The rows of the data that are used, with `SERIES` and `PERIOD`, sorted by both; the target
        and the date are converted. Those without a target come after the history, and hold what is
        known ahead of time.
    season : int
        Periods in a season, 1 if there is none.
    repeated : int
        How many rows were left out, because another is the same.
    joined : int
        How many rows were joined with another of their series and period.
    gaps : int
        How many periods inside of the series lack a value.
    dropped : list of str
        The series that were left out, because they are too short.
    """

    rows: pd.DataFrame
    target: str
    calendar: Calendar
    season: int
    repeated: int
    joined: int
    gaps: int
    dropped: list[str]

    @property
    def history(self) -> pd.DataFrame:
        """The rows that have a target."""
        return self.rows[self.rows[self.target].notna()]

    def lengths(self) -> pd.Series:
        """Return the periods from the first to the last value of each series."""
        return _lengths(self.history)


def align(frame: pd.DataFrame, definition: Definition) -> AlignedSeries:
    """Align rows to a calendar, and treat repeated dates as the definition says.

    Gaps are counted, and stay: none may be filled by what comes after an origin.
    """
    target, settings = definition.problem.target, definition.preparation
    columns = definition.columns
    dates = Inference("date", "", infer(frame[columns.date]).date_format)
    rows = frame.assign(
        **{
            target: convert_column(frame[target], Inference("number", ""), "[problem] target"),
            columns.date: convert_column(frame[columns.date], dates, "[columns] date"),
            SERIES: label_series(frame, columns.series_names()),
        }
    )
    _check_complete(rows, definition)
    same = rows.duplicated([SERIES, columns.date, target])
    rows = rows[~same]
    history = rows[rows[target].notna()]
    if definition.problem.frequency == "auto":
        calendar = infer_calendar(history[columns.date], history[SERIES])
    else:
        calendar = place_calendar(definition.problem.frequency, history[columns.date])
    rows[PERIOD] = calendar.ordinals(rows[columns.date])
    names = pd.Index(history[SERIES].unique())  # also of those that ended before the newest periods
    last = rows.loc[rows[target].notna(), PERIOD].max()
    if definition.split.newest_periods:
        rows = rows[rows[PERIOD] > last - definition.split.newest_periods]
    used = rows[rows[target].notna() | (rows[PERIOD] > last)]
    rows = join_dates(used, target, settings.duplicates, calendar)
    joined = len(used) - len(rows)
    rows = rows.sort_values([SERIES, PERIOD])
    history = rows[rows[target].notna()]
    lengths = _lengths(history).reindex(names, fill_value=0)
    gaps = int((lengths - history.groupby(SERIES).size()).sum())
    if gaps and settings.gaps == "refuse":
        raise UserError(_first_gap(history, calendar, gaps))
    season = find_season(history, target, calendar, definition.problem.season)
    short = lengths[lengths < _needed(season, definition)]
    _check_short(short, len(lengths), season, definition)
    rows = rows[~rows[SERIES].isin(short.index)]
    return AlignedSeries(
        rows, target, calendar, season, int(same.sum()), joined, gaps, list(short.index)
    )


def label_series(frame: pd.DataFrame, names: list[str]) -> pd.Series:
    """Return the label of the series of each row, missing where one of its columns is."""
    if not names:
        return pd.Series(ONLY, index=frame.index, dtype="str")
    first, *others = (frame[name].astype("str").where(frame[name].notna()) for name in names)
    for other in others:
        first = first + SEPARATOR + other
    return first


def series_columns(labels: pd.Series, names: list[str]) -> pd.DataFrame:
    """Return the columns that tell the series apart, from the label of each row."""
    if len(names) < 2:
        return pd.DataFrame(dict.fromkeys(names, labels), index=labels.index)
    parts = labels.str.split(SEPARATOR, n=len(names) - 1, expand=True)
    return parts.set_axis(names, axis=1)


def join_dates(
    rows: pd.DataFrame, target: str, duplicates: str, calendar: Calendar
) -> pd.DataFrame:
    """Return rows of which no two have the same series and period."""
    twice = rows.duplicated([SERIES, PERIOD], keep=False)
    if not twice.any():
        return rows
    if duplicates == "refuse":
        first = rows[twice].iloc[0]
        values = rows.loc[(rows[SERIES] == first[SERIES]) & (rows[PERIOD] == first[PERIOD]), target]
        shown = " and ".join(f"{value:g}" for value in values.iloc[:2])
        (date,) = calendar.texts(np.array([first[PERIOD]]))
        raise UserError(
            f"{twice.sum():,} rows share their series and their date with another row: "
            f"{date}{_of(first[SERIES])} is {shown}; correct it, or say with "
            '[preparation] duplicates = "sum", "mean" or "last" what they become.'
        )
    if duplicates != "last":
        values = rows.groupby([SERIES, PERIOD], sort=False)[target]
        joined = (
            values.transform("sum", min_count=1)
            if duplicates == "sum"
            else values.transform("mean")
        )
        rows = rows.assign(**{target: joined})
    return rows[~rows.duplicated([SERIES, PERIOD], keep="last")]


def find_season(history: pd.DataFrame, target: str, calendar: Calendar, given: str | int) -> int:
    """Return the periods in a season: those that are given, or those found in the series.

    A season is there where the changes from period to period are alike a season apart, on average
    over the series; of several the strongest is taken, the shorter one in doubt.
    """
    if isinstance(given, int):
        return max(given, 1)
    values = history.pivot_table(target, PERIOD, SERIES)
    values = values.reindex(range(values.index.min(), values.index.max() + 1))
    changes = values.diff()
    best, strength = 1, SEASON_CORRELATION - LONGER_SEASON
    for season in calendar.seasons():
        if len(values) < 2 * season + 2:
            continue
        correlation = changes.corrwith(changes.shift(season)).mean()
        if correlation > strength + LONGER_SEASON:
            best, strength = season, correlation
    return best


def least_periods(season: int) -> int:
    """Return the history that a forecast needs: two seasons and a little more."""
    return 2 * season + 2 if season > 1 else 8


def _needed(season: int, definition: Definition) -> int:
    """Return the periods that a series needs to be learnt, backtested and tested."""
    horizons = 1 + definition.split.test_horizons
    return least_periods(season) + horizons * definition.problem.horizon


def _check_complete(rows: pd.DataFrame, definition: Definition) -> None:
    for key, name in (("date", definition.columns.date), ("series", SERIES)):
        missing = rows[name].isna().sum()
        if missing:
            raise UserError(
                f"[columns] {key} is missing in {missing:,} rows; a forecast has to know to which "
                f"{key} a value belongs, so fill it or delete the rows."
            )


def _lengths(history: pd.DataFrame) -> pd.Series:
    periods = history.groupby(SERIES)[PERIOD]
    return periods.max() - periods.min() + 1


def _first_gap(history: pd.DataFrame, calendar: Calendar, gaps: int) -> str:
    after = history.groupby(SERIES)[PERIOD].diff() > 1
    row = history[after].iloc[0]
    (date,) = calendar.texts(np.array([row[PERIOD] - 1]))
    return (
        f"{gaps:,} dates are missing, the first before {date}{_of(row[SERIES])}; add them, or say "
        'with [preparation] gaps = "interpolate", "previous" or "zero" what they become.'
    )


def _check_short(short: pd.Series, number: int, season: int, definition: Definition) -> None:
    dropping = definition.preparation.short == "drop" and len(short) < number
    if short.empty or dropping:
        return
    problem, tests = definition.problem, definition.split.test_horizons
    cut = short.iloc[0] == definition.split.newest_periods
    more = "raise [split] newest_periods" if cut else "add history"
    seasons = f"2 seasons of {season}" if season > 1 else "a little history"
    others = f" (and {len(short) - 1:,} others are too short)" if len(short) > 1 else ""
    drop = 'leave short series out with [preparation] short = "drop", ' if number > 1 else ""
    raise UserError(
        f"The series{_of(short.index[0])} has {short.iloc[0]:,} periods{others}, but {seasons}, a "
        f"horizon of {problem.horizon} to backtest and {tests} to test need "
        f"{_needed(season, definition):,}; {drop}{more}, or lower [problem] horizon or season."
    )


def _of(label: str) -> str:
    return "" if label == ONLY else f' of "{label}"'
