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
    frequency
        A period of pandas: Y, Q-DEC, M, W-SUN, D, B, h, min or s, or several of them, as in 15min.
    place
        Where in its period a date stands: ``start``, ``end``, or so many seconds after the start.
    """

    frequency: str
    place: str | int = "start"

    @property
    def unit(self) -> str:
        """The frequency without its number and its weekday."""
        return self._one().partition("-")[0]

    @property
    def step(self) -> int:
        """How many units a period has: 15 for 15min."""
        return int(self.frequency.removesuffix(self._one()) or 1)

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
        numbers = dates.dt.to_period(self._one()).astype("int64").to_numpy()
        return np.floor_divide(numbers, self.step)

    def dates(self, ordinals: np.ndarray) -> pd.DatetimeIndex:
        """Return the date of each period."""
        ordinals = np.asarray(ordinals, dtype="int64")
        if self.unit == "B":
            days = np.busday_offset(np.datetime64("1970-01-01"), ordinals)
            return self._placed(pd.DatetimeIndex(days.astype("datetime64[us]")))
        periods = pd.PeriodIndex.from_ordinals(ordinals * self.step, freq=self._one())
        if self.place == "end":
            return periods.to_timestamp(how="end").normalize().as_unit("us")
        return self._placed(periods.to_timestamp().as_unit("us"))

    def _one(self) -> str:
        """Return the frequency without its number."""
        return self.frequency.lstrip("0123456789")

    def _placed(self, starts: pd.DatetimeIndex) -> pd.DatetimeIndex:
        return starts if isinstance(self.place, str) else starts + pd.Timedelta(seconds=self.place)

    def texts(self, ordinals: np.ndarray) -> list[str]:
        """Return the date of each period as ISO 8601, without a time where none is needed."""
        dates = self.dates(ordinals)
        whole = (dates == dates.normalize()).all()
        return [f"{date:%Y-%m-%d}" if whole else date.isoformat() for date in dates]

    def seasons(self) -> list[int]:
        """Return the seasons that such dates may have, in periods, the shortest first."""
        seconds = {"min": 60, "s": 1}.get(self.unit, 3600) * self.step
        if self.unit in ("h", "min", "s"):
            return [n // seconds for n in (3600, DAY, 7 * DAY) if n % seconds == 0 and n > seconds]
        return SEASONS.get(self.unit, [])

    def cycles(self, ordinals: np.ndarray) -> dict[str, np.ndarray]:
        """Return where in the cycles of the calendar each period stands, from 0 to below 1."""
        dates = self.dates(ordinals)
        day = (dates.hour * 3600 + dates.minute * 60 + dates.second) / DAY
        year = (dates.day_of_year - 1) / 366
        found = {
            "year": (dates.month - 1) / 12 if self.unit in ("M", "Q") else year,
            "week": dates.day_of_week / 7,
            "day": day,
        }
        names = {"Y": [], "Q": ["year"], "M": ["year"], "W": ["year"]}.get(
            self.unit, ["year", "week"] if self.unit in ("D", "B") else ["year", "week", "day"]
        )
        return {name: np.asarray(found[name], dtype=float) for name in names}


def tell_calendar(dates: pd.Series, series: pd.Series) -> Calendar:
    """Tell the calendar of some rows.

    Parameters
    ----------
    dates : Series of datetime64
        The date of each row.
    series : Series
        Which series it belongs to.

    Raises
    ------
    UserError
        If no series has two dates, or they follow no calendar.
    """
    rows = pd.DataFrame({"series": series, "date": dates}).drop_duplicates()
    rows = rows.sort_values(["series", "date"])
    steps = rows.groupby("series")["date"].diff().dt.total_seconds().dropna()
    if steps.empty:
        raise UserError(
            f'[columns] date "{dates.name}" has one date for each series; a forecast needs '
            "many, so name the columns that tell the series apart in [columns] series, or add rows."
        )
    calendar = place_calendar(_frequency(rows["date"], steps), rows["date"])
    _check_regular(calendar, rows["date"].rename(dates.name), rows["series"])
    return calendar


def _check_regular(calendar: Calendar, dates: pd.Series, series: pd.Series) -> None:
    """Check that dates follow a calendar: one in each period, and few periods left out."""
    rows = pd.DataFrame({"series": series, "date": dates}).drop_duplicates()
    rows["period"] = calendar.ordinals(rows["date"])
    rows = rows.sort_values(["series", "period", "date"])
    hint = (
        "[problem] frequency says what a step is (Y, Q, M, W, D, B, h, 15min, …), and with "
        '[preparation] duplicates = "sum" or "mean" the dates of one step become one'
    )
    twice = rows[rows.duplicated(["series", "period"], keep=False)]
    if len(twice):
        first, second = (f"{date:%Y-%m-%d %H:%M:%S}" for date in twice["date"].iloc[:2])
        raise UserError(
            f'The dates in "{dates.name}" are irregular: {first.removesuffix(" 00:00:00")} and '
            f"{second.removesuffix(' 00:00:00')} fall into one step of a series that is "
            f"{calendar.words()}; {hint}."
        )
    steps = rows.groupby("series")["period"].diff().dropna()
    odd = (steps != 1).mean() if len(steps) else 0
    if odd > LEAST_REGULAR:
        raise UserError(
            f'The dates in "{dates.name}" are irregular: as {calendar.words()} they leave periods '
            f"out between {odd:.0%} of neighbouring dates; {hint}."
        )


def _frequency(dates: pd.Series, steps: pd.Series) -> str:
    """Return the period that most steps span."""
    days = float(steps.median()) / DAY
    if days > 300:
        return "Y"
    if 85 <= days <= 95:
        return "Q"
    if 27 <= days <= 32:
        return "M"
    if days % 7 == 0 and (steps % (7 * DAY) == 0).mean() > LEAST_REGULAR:
        return f"W-{WEEKDAYS[int(dates.dt.day_of_week.mode()[0]) % 7]}"
    if days == 1:
        weekend = (dates.dt.day_of_week >= 5).any()
        return "D" if weekend or dates.dt.day_of_week.nunique() < 5 else "B"
    seconds = int(np.gcd.reduce(steps[steps <= steps.median()].round().astype("int64")))
    for unit, size in (("D", DAY), ("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}" if seconds > size else unit
    return f"{seconds}s" if seconds > 1 else "s"


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
