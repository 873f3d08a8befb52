"""The calendar of series: which dates follow each other, and which period a date falls in."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import UserError

# Periods as pandas names them: https://pandas.pydata.org/docs/user_guide/timeseries.html
WORDS = {
    "Y": "yearly",
    "Q": "quarterly",
    "M": "monthly",
    "W": "weekly",
    "D": "daily",
    "B": "on business days",
    "h": "hourly",
    "min": "by the minute",
    "s": "by the second",
}
# The seasons that people live by, the shortest first, in periods.
SEASONS = {"Q": [4], "M": [12], "W": [52], "D": [7, 365], "B": [5], "h": [24, 168]}
CYCLES = {"Y": 0, "Q": 1, "M": 1, "W": 1, "D": 2, "B": 2}  # of year, week and day; all, if shorter
DAY = 86_400
LEAST_REGULAR = 0.5  # with fewer steps of one period, dates follow no calendar
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ["DEC", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV"]
ANCHORS = {"Y": MONTHS, "Q": MONTHS[:3]}  # the month that a fiscal year or its quarter ends with


@dataclass(frozen=True)
class Calendar:
    """Dates that follow each other in equal steps.

    Attributes
    ----------
    frequency : str
        A period of pandas: Y, Q-DEC, M, W-SUN, D, B, h, min or s, or several of them, as in 15min.
    place : "start", "end" or int
        Where in its period a date stands; a number is the seconds after the start.
    """

    frequency: str
    place: str | int = "start"

    @property
    def unit(self) -> str:
        """The frequency without its number and its weekday."""
        return self._single.partition("-")[0]

    @property
    def step(self) -> int:
        """How many units a period has: 15 for 15min."""
        return int(self.frequency.removesuffix(self._single) or 1)

    @property
    def _single(self) -> str:
        return self.frequency.lstrip("0123456789")

    def words(self) -> str:
        """Say the frequency: monthly, every 15 min."""
        return WORDS[self.unit] if self.step == 1 else f"every {self.step} {self.unit}"

    def ordinals(self, dates: pd.Series) -> np.ndarray:
        """Return the number of the period of each date; neighbours differ by 1.

        Days of a business calendar that fall on a weekend count as the Monday after it.
        """
        if self.unit == "B":
            days = dates.to_numpy().astype("datetime64[D]")
            return np.busday_count(np.datetime64("1970-01-01"), days)
        return dates.dt.to_period(self._single).astype("int64").to_numpy() // self.step

    def dates(self, ordinals: np.ndarray) -> pd.DatetimeIndex:
        """Return the date of each period."""
        ordinals = np.asarray(ordinals, dtype="int64")
        if self.unit == "B":
            days = np.busday_offset(np.datetime64("1970-01-01"), ordinals)
            starts = pd.DatetimeIndex(days.astype("datetime64[us]"))
        else:
            periods = pd.PeriodIndex.from_ordinals(ordinals * self.step, freq=self._single)
            if self.place == "end":
                return periods.to_timestamp(how="end").normalize().as_unit("us")
            starts = periods.to_timestamp().as_unit("us")
        return starts if isinstance(self.place, str) else starts + pd.Timedelta(seconds=self.place)

    def texts(self, ordinals: np.ndarray) -> list[str]:
        """Return the date of each period as ISO 8601, without a time where none is needed."""
        dates = self.dates(ordinals)
        whole = (dates == dates.normalize()).all()
        return [f"{date:%Y-%m-%d}" if whole else date.isoformat() for date in dates]

    def seasons(self) -> list[int]:
        """Return the seasons that such dates may have, in periods, the shortest first."""
        if self.unit not in ("h", "min", "s"):
            return SEASONS.get(self.unit, [])
        seconds = {"h": 3600, "min": 60, "s": 1}[self.unit] * self.step
        return [n // seconds for n in (3600, DAY, 7 * DAY) if n % seconds == 0 and n > seconds]

    def cycles(self, ordinals: np.ndarray) -> dict[str, np.ndarray]:
        """Return where in the cycles of the calendar each period stands, from 0 to below 1."""
        dates = self.dates(ordinals)
        by_month = self.unit in ("M", "Q")
        cycles = {
            "year": (dates.month - 1) / 12 if by_month else (dates.day_of_year - 1) / 366,
            "week": dates.day_of_week / 7,
            "day": (dates.hour * 3600 + dates.minute * 60 + dates.second) / DAY,
        }
        names = list(cycles)[: CYCLES.get(self.unit, 3)]
        return {name: np.asarray(cycles[name], dtype=float) for name in names}


def infer_calendar(dates: pd.Series, series: pd.Series) -> Calendar:
    """Infer the calendar of some rows."""
    rows = pd.DataFrame({"series": series, "date": dates}).drop_duplicates()
    rows = rows.sort_values(["series", "date"])
    steps = rows.groupby("series")["date"].diff().dt.total_seconds().dropna()
    if steps.empty:
        raise UserError(
            f'[columns] date "{dates.name}" has one date for each series; a forecast needs '
            "many, so name the columns that tell the series apart in [columns] series, or add rows."
        )
    calendar = place_calendar(_frequency(rows["date"], steps), rows["date"])
    _check_regular(calendar, rows, str(dates.name))
    return calendar


def place_calendar(frequency: str, dates: pd.Series) -> Calendar:
    """Return the calendar of a frequency whose dates stand where these stand in their periods."""
    for anchor in ANCHORS.get(frequency, [""]):
        name = f"{frequency}-{anchor}".removesuffix("-")
        for calendar in (Calendar(name), Calendar(name, "end")):
            if (dates.to_numpy() == calendar.dates(calendar.ordinals(dates)).to_numpy()).all():
                return calendar
    starting = Calendar(frequency)
    after = dates - starting.dates(starting.ordinals(dates))
    seconds = int(after.iloc[0].total_seconds())
    return Calendar(frequency, seconds) if after.nunique() == 1 else starting


def _check_regular(calendar: Calendar, rows: pd.DataFrame, name: str) -> None:
    """Check that dates follow a calendar: one in each period, and few periods left out."""
    rows = rows.assign(period=calendar.ordinals(rows["date"]))
    hint = (
        "[problem] frequency says what a step is (Y, Q, M, W, D, B, h, 15min, …), and with "
        '[preparation] duplicates = "sum" or "mean" the dates of one step become one'
    )
    twice = rows[rows.duplicated(["series", "period"], keep=False)]
    if len(twice):
        dates = [f"{date:%Y-%m-%d %H:%M:%S}" for date in twice["date"].iloc[:2]]
        first, second = (date.removesuffix(" 00:00:00") for date in dates)
        raise UserError(
            f'The dates in "{name}" are irregular: {first} and {second} fall into one step of a '
            f"series that is {calendar.words()}; {hint}."
        )
    steps = rows.groupby("series")["period"].diff().dropna()
    odd = (steps != 1).mean()
    if odd > LEAST_REGULAR:
        raise UserError(
            f'The dates in "{name}" are irregular: as {calendar.words()} they leave periods '
            f"out between {odd:.0%} of neighbouring dates; {hint}."
        )


def _frequency(dates: pd.Series, steps: pd.Series) -> str:
    """Return the period that most steps span."""
    days = float(steps.median()) / DAY
    for unit, least, most in (("Y", 300, np.inf), ("Q", 85, 95), ("M", 27, 32)):
        if least <= days <= most:
            return unit
    if days % 7 == 0 and (steps % (7 * DAY) == 0).mean() > LEAST_REGULAR:
        return f"W-{WEEKDAYS[int(dates.dt.day_of_week.mode()[0]) % 7]}"
    if days == 1:
        weekend = (dates.dt.day_of_week >= 5).any()
        return "D" if weekend or dates.dt.day_of_week.nunique() < 5 else "B"
    seconds = int(np.gcd.reduce(steps[steps <= steps.median()].round().astype("int64")))
    units = {"D": DAY, "h": 3600, "min": 60, "s": 1}
    unit = next(unit for unit, size in units.items() if seconds % size == 0)
    return f"{seconds // units[unit]}{unit}" if seconds > units[unit] else unit
