"""How dates are written: which format a column has, and its dates.

A date is what the clock on the wall shows: "2014-01-01T00:00:00+01:00" is the first of January.
"""

import pandas as pd

# Day first is the habit in most of the world, so it wins a tie.
NUMERIC = [f"{order}{year}" for year in ("%Y", "%y") for order in ("%d/%m/", "%m/%d/")]
NUMERIC += [f.replace("/", sign) for sign in ".-" for f in NUMERIC]
NAMED = ["%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y"]
TIMES = ["", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p"]
MONTHS = ["%Y%m", "%m/%Y", "%m.%Y", "%m-%Y", "%Y/%m", "%b-%y", "%b-%Y", "%b %Y"]
QUARTER = "%YQ%q"  # as pandas writes it; read are also 2021-Q4 and Q4 2021
FORMATS = [f"{day}{time}" for day in (*NUMERIC, "%Y/%m/%d", "%Y.%m.%d", *NAMED) for time in TIMES]
WEEK = "%G-W%V"  # begins on Monday
FORMATS += [*MONTHS, QUARTER, WEEK]
QUARTERS = r"(?i)^(?:(\d{4})[ /-]?Q([1-4])|Q([1-4])[ /-]?(\d{4}))$"
# English, German, French, Spanish, Italian, Portuguese and Dutch; three letters of them suffice.
NAMES = (
    "january januar jänner janvier enero gennaio janeiro januari | february februar février febrero"
    " febbraio fevereiro februari | march märz mrz mars marzo março maart mrt | april avril abril"
    " aprile | may mai mayo maggio maio mei | june juni juin junio giugno junho | july juli juillet"
    " julio luglio julho | august août agosto augustus | september septembre septiembre settembre"
    " setembro | october oktober octobre octubre ottobre outubro | november novembre noviembre"
    " novembro | december dezember décembre diciembre dicembre dezembro"
)
MONTH_OF = {
    n[:k]: names[:3] for names in NAMES.split(" | ") for n in names.split() for k in range(3, 11)
}
NAME = r"\.?([ -]?)(?:de )?([^\W\d_]{3,10})\b\.?(?: de\b)?"
NO_DATES = ["0000-00-00", "0000-00-00 00:00:00"]  # as MySQL has what is missing
PERIODS = r"(?:1[7-9]|2[01])\d\d(?:(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])?)?"
TIME, OFFSET = r"[T ]\d\d(?::?\d\d){0,2}(?:[.,]\d+)?", r" ?(?:Z|[+-]\d\d(?::?\d\d)?)$"
LIKE_DATE = r"(?i)^(?:[^\W\d_]{3,10}\.?[ -]|q)?\d{1,8}(?:[-/., qtw]|$).{0,28}$"
FIRST = pd.Timestamp(1, 1, 1)  # Python knows no year before it
FEW, SAMPLE = 50, 10_000  # texts that rule most formats out, and that tell the one
STRAYS = 0.1  # at most so many texts look like dates and are none, as 2023-02-30


def parse(values: pd.Series, date_format: str = "") -> pd.Series:
    """Return dates, NaT where none is written in the format or, whatever it is, in ISO 8601."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.tz_localize(None).dt.as_unit("us")
    texts = _texts(values)
    if texts.str.contains(TIME + OFFSET, na=False).any():
        texts = texts.str.replace(f"({TIME}){OFFSET}", r"\1", regex=True)
    dates = _read(texts, date_format or "ISO8601")
    return dates.fillna(_read(texts, "ISO8601")) if date_format and dates.hasnans else dates


def write(dates: pd.Series, date_format: str) -> pd.Series:
    """Write dates in a format that is not ISO 8601."""
    found = dates.dt.to_period("Q") if date_format == QUARTER else dates
    return found.dt.strftime(date_format)


def find_format(values: pd.Series, *, sought: bool = False) -> tuple[str, str] | None:
    """Return the format of dates ("" is ISO 8601), and the one that fits as well.

    None says that these are no dates, which is not asked where a column of dates is `sought`.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return "", ""
    sample = _sample(values)
    if not sought and not sample.head(FEW).str.contains(LIKE_DATE).mean() > 1 / 2:
        return None
    sample = sample.drop_duplicates()
    rest = sample[parse(sample).isna()]
    if rest.empty:
        return "", ""
    fits = [f for f in FORMATS if _read(rest.head(FEW), f).notna().mean() > 1 / 2]
    found = max(fits, key=lambda f: _read(rest, f).notna().sum(), default="")
    dates = parse(sample, found)
    shapes, strays = sample.str.replace(r"\d", "0", regex=True), dates.isna()
    known = shapes[strays].isin(shapes[~strays]).all()
    if not sought and (strays.mean() > STRAYS or not known):
        return None
    other = found.replace("%d", "%-").replace("%m", "%d").replace("%-", "%m")
    if other == found or other not in FORMATS or parse(sample, other).count() < dates.count():
        return found, ""
    return _order(values, found, other)


def may_be_periods(values: pd.Series) -> bool:
    """Tell whether whole numbers may be years, months (202401) or days (20240131)."""
    if not pd.api.types.is_numeric_dtype(values):
        return False
    few = _sample(values).str
    return bool(few.fullmatch(PERIODS).all()) and few.len().nunique() == 1


def _order(values: pd.Series, first: str, other: str) -> tuple[str, str]:
    """Return which of two orders of day and month is right, and the other one if it may be."""
    one, two = parse(values, first), parse(values, other)
    if one.count() != two.count() or one.equals(two):
        return (first if one.count() >= two.count() else other), ""
    # The first days of months are in the wrong order the first twelve days of each January.
    return (other, first) if _evenness(two) > 2 * _evenness(one) else (first, other)


def _evenness(dates: pd.Series) -> float:
    """Return the share of a span of dates that steps of the usual length would take."""
    dates = dates.dropna().drop_duplicates().sort_values()
    span = dates.iloc[-1] - dates.iloc[0]
    return float(dates.diff().median() * (len(dates) - 1) / span) if span else 0.0


def _read(texts: pd.Series, date_format: str) -> pd.Series:
    if date_format == QUARTER:
        parts = texts.str.extract(QUARTERS)
        month = parts[1].fillna(parts[2]).map({"1": "-01", "2": "-04", "3": "-07", "4": "-10"})
        texts, date_format = parts[0].fillna(parts[3]) + month, "%Y-%m"
    if date_format == WEEK:
        texts, date_format = texts.str.replace(r"[- ]?W", "-W", regex=True) + "-1", "%G-W%V-%u"
    if "%b" in date_format:
        texts = texts.str.replace(
            NAME, lambda found: found[1] + MONTH_OF.get(found[2].lower(), found[2]), regex=True
        )
    dates = pd.to_datetime(texts, format=date_format, errors="coerce", utc=True)
    dates = dates.dt.tz_localize(None).dt.as_unit("us")
    return dates.where(dates >= FIRST)


def _texts(values: pd.Series) -> pd.Series:
    """Return values as they are written, 1980.0 as 1980."""
    if values.dtype != "str":
        each = [f"{v:.15g}" if isinstance(v, int | float) else str(v) for v in values]
        values = pd.Series(each, values.index, dtype="str").where(values.notna())
    return values.str.strip()


def _sample(values: pd.Series) -> pd.Series:
    """Return some texts from all parts, in no order."""
    present = values.dropna()
    return _texts(present.sample(min(SAMPLE, len(present)), random_state=0))
