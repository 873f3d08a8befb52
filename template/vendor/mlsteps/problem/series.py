"""Rows as series: each row has a series and a period, and no two rows have the same."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import UserError
from ..report import counted
from .columns import Inference, doubts, infer
from .definition import Definition
from .periods import CLOCK, REGULAR, Calendar, infer_calendar
from .regression import check_target
from .seasons import LEVEL, list_seasons, try_seasons
from .validation import ValidationResult, convert_column, quoted

# Columns that are added to those of the data. Names of collected columns have no blanks around
# them, so none can be one of these.
SERIES, PERIOD = " series", " period"
SEPARATOR = " / "  # between the parts of a label
ONLY = "all"  # the label of the series where there is but one
TEST_SHARE, MOST_HORIZONS = 0.2, 20  # of the history, where nobody says how much the test has


@dataclass(frozen=True)
class AlignedSeries:
    """Rows on a calendar, with `SERIES` and `PERIOD`, sorted by both.

    Those without a target come after the history, and hold what is known ahead of time.
    """

    rows: pd.DataFrame  # their target and date are converted
    target: str
    calendar: Calendar
    seasons: list[float]  # periods in each, the shortest first
    season: int  # the one that MASE and the seasonal naive go by, 1 if there is none
    test_horizons: int  # at the end
    joined: int  # rows, with another of their series and period, or left out as it is the same
    gaps: int  # periods inside of the series without a value
    dropped: list[str]  # series that are too short

    @property
    def history(self) -> pd.DataFrame:
        """The rows that have a target."""
        return self.rows[self.rows[self.target].notna()]

    def lengths(self) -> pd.Series:
        """Return the periods from the first to the last value of each series."""
        return _lengths(self.history)


def validate_series(definition: Definition, frame: pd.DataFrame) -> ValidationResult:
    """Check what the definition says of series."""
    problem, settings, columns = definition.problem, definition.preparation, definition.columns
    names = columns.series_names()
    target = check_target(frame[problem.target], problem, folds=0)
    kinds = known_kinds(definition, frame)
    aligned = align(frame, definition)
    lengths, dates = aligned.lengths(), aligned.history[columns.date]
    of = f" of {len(lengths):,} series by {quoted(names)}" if names else ""
    longest, shortest = lengths.max(), lengths.min()
    periods = f"{longest:,}" if longest == shortest else f"{shortest:,} to {longest:,}"
    known = f", and from {quoted(kinds)}, known ahead of time" if kinds else ""
    task = (
        f'Forecast "{problem.target}"{of}, {target}, {counted(problem.horizon, "period")} ahead '
        f"from {periods} {aligned.calendar.words()} values{known}."
    )
    season = say_seasons(aligned.seasons, aligned.season)
    tests = aligned.test_horizons
    tested = problem.horizon * tests
    test = (
        f"{season}; dates go from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}, and the "
        f"last {f'{tested:,} periods are' if tested > 1 else 'period is'} kept for the test"
        + (f", {tests} forecasts one after another." if tests > 1 else ".")
    )
    unknown, dropped = columns.unknown_at_prediction, aligned.dropped
    first = aligned.calendar.texts([aligned.history[PERIOD].max() + 1])[0]
    notes = {
        f"The dates follow no rule within their periods; forecasts are dated {first} and so on, by "
        "the start of each.": aligned.calendar.share(dates) <= REGULAR,
        f"{counted(aligned.joined, 'row')} with the date of another of their series: the same are "
        "left out, others become what [preparation] duplicates says.": aligned.joined,
        f"Without a value: {counted(aligned.gaps, 'date')} inside of the series; [preparation] "
        f'gaps = "{settings.gaps}" fills them.': aligned.gaps,
        f"Too short, so left out: {len(dropped):,} series, like {quoted(dropped[:3])}.": dropped,
        f"Not known ahead of time, so not used: {quoted(unknown)}.": unknown,
    }
    date = {columns.date: infer(frame[columns.date], columns.date_written())}
    said = [*doubts(date), *(note for note, worth in notes.items() if worth)]
    return ValidationResult([task, test, *said], date | kinds)


def known_kinds(definition: Definition, frame: pd.DataFrame) -> dict[str, Inference]:
    """Return the kind of each column that is known ahead of time: a number or a category."""
    columns = definition.columns
    others = [*definition.not_inputs(), columns.date, *columns.series_names()]
    kinds = {}
    for name in frame.columns.difference(others, sort=False):
        kind = infer(frame[name], columns.kinds.get(name, ""), definition.data.decimal)
        if kind.kind not in ("number", "category"):
            raise UserError(
                f'"{name}" {kind.reason}, but what is known ahead of time has to be a number or a '
                "category; name it in [columns] drop or unknown_at_prediction, or set its kind "
                "in [columns.kinds]."
            )
        convert_column(frame[name], kind, "[columns.kinds]")
        kinds[name] = kind
    return kinds


def align(frame: pd.DataFrame, definition: Definition) -> AlignedSeries:
    """Align rows to a calendar, and treat repeated dates as the definition says.

    Gaps are counted, and stay: none may be filled by what comes after an origin.
    """
    target, date = definition.problem.target, definition.columns.date
    dates = infer(frame[date], definition.columns.date_written())
    numbers = infer(frame[target], "number", definition.data.decimal)
    rows = frame.assign(
        **{
            target: convert_column(frame[target], numbers, "[problem] target"),
            date: convert_column(frame[date], dates, "[columns] date"),
            SERIES: label_series(frame, definition.columns.series_names()),
        }
    )
    for key, name in (("date", date), ("series", SERIES)):
        if missing := rows[name].isna().sum():
            raise UserError(
                f"[columns] {key} is missing in {counted(missing, 'row')}; a forecast has to know "
                f"to which {key} a value belongs, so fill it or delete the rows."
            )
    rows = rows.drop_duplicates([SERIES, date, target])
    history = rows[rows[target].notna()]
    calendar = infer_calendar(history[date], history[SERIES], definition.problem.frequency)
    rows[PERIOD] = calendar.ordinals(rows[date])
    last = rows.loc[history.index, PERIOD].max()
    used = rows[rows[target].notna() | (rows[PERIOD] > last)]
    if definition.split.newest_periods:
        used = used[used[PERIOD] > last - definition.split.newest_periods]
    joined = join_dates(used, target, definition.preparation.duplicates, calendar)
    joined = joined.sort_values([SERIES, PERIOD])
    names = history[SERIES].unique()  # also of those that ended before the newest periods
    history = joined[joined[target].notna()]
    lengths = _lengths(history).reindex(names, fill_value=0)
    gaps = int(lengths.sum()) - len(history)
    if gaps and definition.preparation.gaps == "refuse":
        row = history[history.groupby(SERIES)[PERIOD].diff() > 1].iloc[0]
        raise UserError(
            f"Missing: {counted(gaps, 'date')}, the first before "
            f"{calendar.texts([row[PERIOD] - 1])[0]}{_of(row[SERIES])}; add them, or say with "
            '[preparation] gaps = "interpolate", "previous" or "zero" what they become.'
        )
    seasons, season = _find_seasons(history, lengths, calendar, definition)
    short = _short_series(lengths, season, definition)
    return AlignedSeries(
        joined[~joined[SERIES].isin(short)],
        target,
        calendar,
        seasons,
        season,
        _test_horizons(lengths.drop(short), season, definition),
        joined=len(frame) - len(rows) + len(used) - len(joined),
        gaps=gaps,
        dropped=short,
    )


def label_series(frame: pd.DataFrame, names: list[str]) -> pd.Series:
    """Return the label of the series of each row, missing where one of its columns is."""
    if not names:
        return pd.Series(ONLY, index=frame.index, dtype="str")
    first, *others = (frame[name].astype("str").where(frame[name].notna()) for name in names)
    return first.str.cat(others, sep=SEPARATOR) if others else first


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
    twice = rows[rows.duplicated([SERIES, PERIOD], keep=False)]
    if len(twice) and duplicates == "refuse":
        (name, period), values = next(iter(twice.groupby([SERIES, PERIOD], sort=False)[target]))
        hours = calendar.dates(twice[PERIOD])
        once = hours.normalize().nunique() == hours.year.nunique()  # in each year
        back = calendar.unit in CLOCK and once and {*hours.hour} <= {23, 0, 1, 2, 3}
        clock = ", in the hour that comes twice when clocks are set back" if back else ""
        raise UserError(
            f"{len(twice):,} rows share their series and their date with another row{clock}: "
            f"{calendar.texts([period])[0]}{_of(name)} is {values.iloc[0]:,.15g} and "
            f"{values.iloc[1]:,.15g}; correct it, name the columns that tell the series apart in "
            '[columns] series, or say with [preparation] duplicates = "sum", "mean" or "last" what '
            "they become."
        )
    if len(twice) and duplicates != "last":
        values = rows.groupby([SERIES, PERIOD], sort=False)[target]
        options = {"min_count": 1} if duplicates == "sum" else {}
        rows = rows.assign(**{target: values.transform(duplicates, **options)})
    return rows.drop_duplicates([SERIES, PERIOD], keep="last")


def say_seasons(seasons: list[float], season: int) -> str:
    """Say which seasons there are, and of which the seasonal naive forecast is."""
    if not seasons:
        return "There is no season, so the seasonal naive forecast is the last value"
    if len(seasons) == 1:
        return f"A season has {list_seasons(seasons)} periods"
    return (
        f"Seasons have {list_seasons(seasons)} periods, and MASE and the seasonal naive forecast "
        f"go by {season}"
    )


def least_periods(season: float) -> int:
    """Return the history that a forecast needs: two seasons and a little more."""
    return 2 * round(season) + 2 if season > 1 else 8


def _wide(history: pd.DataFrame, target: str) -> pd.DataFrame:
    """Return a row for each period and a column for each series; gaps are filled on a line."""
    values = history.pivot_table(target, PERIOD, SERIES)
    values = values.reindex(range(values.index.min(), values.index.max() + 1))
    return values.interpolate(limit_area="inside")


def _find_seasons(
    history: pd.DataFrame, lengths: pd.Series, calendar: Calendar, definition: Definition
) -> tuple[list[float], int]:
    """Return the seasons that are given or found, and the one whose values differ least.

    All but the shortest have to leave room for a backtest and the test.
    """
    problem, usual = definition.problem, lengths.median()
    room = usual - (1 + definition.split.least_horizons()) * problem.horizon
    values, seasons = _wide(history, problem.target), problem.given_seasons()
    if seasons is None:
        places = enumerate(calendar.seasons())
        possible = [s for k, s in places if least_periods(s) <= (room if k else usual)]
        tested = try_seasons(values, possible)
        seasons = tested.loc[tested["p-value"] < LEVEL, "season"].tolist()
    whole = [round(season) for season in seasons]
    changes = [(values.diff(season).abs().mean() / values.std()).mean() for season in whole]
    return seasons, min(zip(changes, whole, strict=True), default=(0, 1))[1]


def _short_series(lengths: pd.Series, season: int, definition: Definition) -> list[str]:
    """Return the series too short for training, backtest and test, if they may be left out."""
    problem, tests = definition.problem, definition.split.least_horizons()
    needed = least_periods(season) + (1 + tests) * problem.horizon
    short = lengths[lengths < needed]
    if len(short) == 0 or (definition.preparation.short == "drop" and len(short) < len(lengths)):
        return list(short.index)
    seasons = f"2 seasons of {season}" if season > 1 else "a little history"
    raise UserError(
        f"The series{_of(short.index[0])} has {counted(short.iloc[0], 'period')} (too short: "
        f"{len(short):,} of {len(lengths):,} series), but {seasons}, a horizon of "
        f"{problem.horizon} to backtest and {tests} to test need {needed:,}; add history, raise "
        "[split] newest_periods, lower [problem] horizon or season, or leave short series out with "
        '[preparation] short = "drop".'
    )


def _test_horizons(lengths: pd.Series, season: int, definition: Definition) -> int:
    """Return how many horizons the test has: a share of the history, if most series spare it."""
    given, horizon = definition.split.test_horizons, definition.problem.horizon
    if given != "auto":
        return int(given)
    spared = lengths.median() - least_periods(season) - horizon
    most = min(TEST_SHARE * lengths.max(), spared) // horizon
    return int(np.clip(most, 1, MOST_HORIZONS))


def _lengths(history: pd.DataFrame) -> pd.Series:
    periods = history.groupby(SERIES)[PERIOD]
    return periods.max() - periods.min() + 1


def _of(label: str) -> str:
    return "" if label == ONLY else f' of "{label}"'
