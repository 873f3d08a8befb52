"""The periods of series: which dates follow each other, and which period a date falls in.

Supported are years, quarters, months, weeks, days, business days, hours, minutes and seconds, or
several of these, such as 15min; also where all dates are the last days of months, their second
Mondays, Wednesdays, or the first days of fiscal years.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ..errors import UserError

# By the names of pandas: https://pandas.pydata.org/docs/user_guide/timeseries.html
WORDS = {"Y": "yearly", "Q": "quarterly", "M": "monthly", "W": "weekly", "D": "daily"}
WORDS |= {"B": "on business days", "h": "hourly", "min": "by the minute", "s": "by the second"}
DAY = 86_400
SECONDS = {"W": 7 * DAY, "D": DAY, "h": 3600, "min": 60, "s": 1}
# What is counted, how many of it make a period, and the first since 1970; weeks begin on Mondays.
COUNTED = {"Y": ("M", 12, 0), "Q": ("M", 3, 0), "W": ("D", 7, 4)}
EPOCH = np.datetime64("1970-01-01")
YEAR, WEEK = 365.25, 7  # in days
DAYS = {"Y": YEAR, "Q": YEAR / 4, "M": YEAR / 12, "B": WEEK / 5}  # in a period, on average
BY_MONTH, CLOCK = ("Y", "Q", "M"), ("h", "min", "s")
CYCLES = {"Y": 0, "Q": 1, "M": 1, "W": 1, "D": 2, "B": 2}  # of year, week and day; all, if shorter
BUSINESS = "1111100"
NEARLY = 0.75  # of the steps are equal
REGULAR = 0.5  # the share of dates above which they follow a rule


@dataclass(frozen=True)
class Calendar:
    """Dates that follow each other in equal steps.

    Dates on other days than `weekdays` stand on the next of these or, if the place is below 0, the
    last one: the second Monday of a month is the first from its eighth day on.
    """

    frequency: str  # Y, Q, M, W, D, B, h, min or s, or several of them, as in 15min
    phase: int = 0  # by how many months, days and so on the periods are shifted
    place: int = 0  # in its month, day and so on: seconds after the start, below 0 before the end
    weekdays: str = ""  # a digit for each, from Monday on: "1111100" are business days

    @property
    def unit(self) -> str:
        """The frequency without its number."""
        return self.frequency.lstrip("0123456789")

    @property
    def number(self) -> int:
        """How many units a period has: 15 for 15min."""
        return int(self.frequency.removesuffix(self.unit) or 1)

    def words(self) -> str:
        """Say the frequency: monthly, every 15 min."""
        return WORDS[self.unit] if self.number == 1 else f"every {self.number} {self.unit}"

    def count(self, dates: pd.Series) -> np.ndarray:
        """Return the month, day and so on of each date; a weekend is the next business day."""
        if self.unit == "B":
            return np.busday_count(EPOCH, dates.to_numpy().astype("datetime64[D]"))
        counted, _, first = COUNTED.get(self.unit, (self.unit, 1, 0))
        return dates.dt.to_period(counted).astype("int64").to_numpy() - first

    def starts(self, counts: np.ndarray) -> pd.DatetimeIndex:
        """Return when each month, day and so on begins."""
        if self.unit == "B":
            days = np.busday_offset(EPOCH, counts)
            return pd.DatetimeIndex(days.astype("datetime64[us]"))
        counted, _, first = COUNTED.get(self.unit, (self.unit, 1, 0))
        periods = pd.PeriodIndex.from_ordinals(counts + first, freq=counted)
        return periods.to_timestamp().as_unit("us")

    def step(self) -> int:
        """Return how many months, days and so on a period has."""
        return self.number * COUNTED.get(self.unit, (self.unit, 1, 0))[1]

    def ordinals(self, dates: pd.Series) -> np.ndarray:
        """Return the number of the period of each date; neighbours differ by 1."""
        return (self.count(dates) - self.phase) // self.step()

    def dates(self, ordinals: Sequence[int] | np.ndarray | pd.Series) -> pd.DatetimeIndex:
        """Return the date of each period."""
        counts = np.asarray(ordinals, dtype="int64") * self.step() + self.phase
        dates = self.starts(counts + (self.place < 0)) + pd.Timedelta(seconds=self.place)
        if not self.weekdays:
            return dates
        days = dates.to_numpy().astype("datetime64[D]")
        roll: Literal["backward", "forward"] = "backward" if self.place < 0 else "forward"
        rolled = np.busday_offset(days, 0, roll, self.weekdays)
        return pd.DatetimeIndex(rolled.astype("datetime64[us]")) + (dates - dates.normalize())

    def share(self, dates: pd.Series) -> float:
        """Return the share of dates that stand where their periods have them."""
        return float((self.dates(self.ordinals(dates)) == dates.to_numpy()).mean())

    def texts(self, ordinals: Sequence[int] | np.ndarray | pd.Series) -> list[str]:
        """Return the date of each period as ISO 8601, without a time where none is needed."""
        dates = self.dates(ordinals)
        whole = (dates == dates.normalize()).all()
        return [date.isoformat()[: 10 if whole else None] for date in dates]

    def seasons(self) -> list[float]:
        """Return the seasons that such dates may have, in periods, the shortest first."""
        days = self.number * (DAYS.get(self.unit) or SECONDS[self.unit] / DAY)
        cycles = [cycle for cycle in (1 / 24, 1, WEEK, YEAR) if cycle >= 2 * days]
        return [round(cycle / days, 3) for cycle in cycles]

    def cycles(self, ordinals: np.ndarray) -> list[np.ndarray]:
        """Return where in each cycle of the calendar the periods stand, from 0 to below 1."""
        dates = self.dates(ordinals)
        year = (dates.month - 1) / 12 if self.unit in ("M", "Q") else (dates.day_of_year - 1) / 366
        day = (dates.hour * 3600 + dates.minute * 60 + dates.second) / DAY
        cycles = [year, dates.day_of_week / 7, day][: CYCLES.get(self.unit, 3)]
        return [np.asarray(cycle, dtype=float) for cycle in cycles]


def infer_calendar(dates: pd.Series, series: pd.Series, frequency: str = "auto") -> Calendar:
    """Infer the calendar of some rows or, where the frequency is given, the place of the dates."""
    rows = pd.DataFrame({"series": series, "date": dates}).drop_duplicates()
    rows = rows.sort_values(["series", "date"])
    if frequency != "auto":
        return _place(frequency, rows["date"])
    steps = rows.groupby("series")["date"].diff().dt.total_seconds().dropna()
    if steps.empty:
        raise UserError(
            f'[columns] date "{dates.name}" has one date for each series; a forecast needs '
            "many, so name the columns that tell the series apart in [columns] series, or add rows."
        )
    calendar = _place(_infer_frequency(rows["date"], steps), rows["date"])
    rows["period"] = calendar.ordinals(rows["date"])
    twice = rows.duplicated(["series", "period"]).sum()
    skipped = (rows.groupby("series")["period"].diff().dropna() > 1).mean()
    missed = 1 - calendar.share(rows["date"]) if calendar.number > 1 else 0.0
    if twice or skipped > REGULAR or missed > REGULAR:
        raise UserError(
            f'The dates in "{dates.name}" are irregular: as {calendar.words()} ones, {twice:,} '
            f"share a period of their series, {skipped:.0%} leave periods out, and {missed:.0%} "
            "fall between such steps, as the 1st and 15th of months do; [problem] "
            f"frequency says what a period is ({', '.join(WORDS)}, 15min, …), and with "
            '[preparation] duplicates = "sum" or "mean" the dates of one period become one.'
        )
    return calendar


def _infer_frequency(dates: pd.Series, steps: pd.Series) -> str:
    """Return the frequency that most steps, in seconds, have."""
    days = steps.median() / DAY
    seconds = max(1, round(steps.mode().iloc[0]))
    even = (steps == seconds).mean() > NEARLY  # as four weeks are, but no months
    for unit, least, most in (("Y", 300, np.inf), ("Q", 85, 95), ("M", 27, 32)):
        if least <= days <= most and not (even and unit != "Y"):
            return unit
    weekdays = set(dates.dt.day_of_week)
    if seconds == DAY and weekdays == {0, 1, 2, 3, 4}:
        return "B"
    unit = next(unit for unit, size in SECONDS.items() if seconds % size == 0)
    return f"{seconds // SECONDS[unit]}{unit}".removeprefix("1" if seconds == SECONDS[unit] else "")


def _place(frequency: str, dates: pd.Series) -> Calendar:
    """Return the calendar of a frequency whose dates stand where these stand in their periods."""
    calendar, dates = Calendar(frequency), dates.drop_duplicates()
    counts = calendar.count(dates)
    phases = pd.Series(counts % calendar.step()).value_counts(normalize=True)
    phase = int(phases.index[0]) if phases.iloc[0] > REGULAR else 0
    borders = (calendar.starts(counts), calendar.starts(counts + 1))
    usual = [int((dates - each).dt.total_seconds().mode()[0]) for each in borders]
    found = [Calendar(frequency, phase, place) for place in usual]
    if calendar.unit in BY_MONTH:
        found += [Calendar(frequency, phase, place, BUSINESS) for place in (0, -DAY)]
        usual_day = dates.dt.day_of_week.mode()[0]
        days = "".join(str(int(day == usual_day)) for day in range(WEEK))
        found += [Calendar(frequency, phase, n * WEEK * DAY, days) for n in range(4)]
        found += [Calendar(frequency, phase, -DAY, days)]
    best = max(found, key=lambda each: each.share(dates))
    return best if best.share(dates) > REGULAR else Calendar(frequency, phase)
