"""Tell which types of problem some data can be, whatever this project holds the code for."""

from contextlib import suppress
from itertools import combinations
from typing import NamedTuple, NoReturn

import pandas as pd

from ..errors import UserError
from .classification import MOST_CLASSES
from .columns import ConversionError, Inference, convert, infer
from .dates import may_be_periods, parse
from .periods import infer_calendar
from .series import label_series
from .validation import convert_column

FEW = 20  # whole numbers with so many different values can be classes as well as quantities
LEAST_PERIODS = 8  # of a series
REPEATED = 0.05  # of the rows of series may share their date with another, by mistake
FILLED = 0.5  # of the dates from the first to the last of each series
PLACE = " place"  # no column that was collected begins with a blank
ROWS = 100_000  # about so many tell whether dates are repeated
MOST_LABELLING = 8  # columns that are tried, alone and in pairs, to tell series apart
LIKELY, YEARS = 0.5, 10_000  # the share of values that shows what all should be; years are below


class SeriesColumns(NamedTuple):
    """The column of dates, and the columns that tell series apart, none if there is one series."""

    date: str
    by: list[str]
    periods: int
    doubt: int = 0  # 1 if some dates are missing, repeated or irregular, 2 if many are repeated


def check_type(frame: pd.DataFrame, target: str, own: str) -> str:
    """Return why the type of this project fits the data, or raise a UserError."""
    if not target:
        types, reason = ["clustering", "anomaly_detection"], "there is no column to predict"
    elif own == "clustering":
        return f'"{target}" is only compared with the clusters'
    else:
        types, reason = _types(frame, target, own)
    if own in types:
        return reason
    found, name_it = types[0], ""
    if not target:
        found, name_it = " or ".join(types), "name the column with --target, or "
    raise UserError(
        f"{reason}, so this is {found}, but the project holds the code for {own}; {name_it}run "
        f"`copier update --data problem_type={types[0]}`, then this again (nothing was written)."
    )


def _types(frame: pd.DataFrame, target: str, own: str) -> tuple[list[str], str]:
    """Return the types that fit a target, the likeliest first, and the reason."""
    inferred, different = infer(frame[target]), frame[target].nunique()
    if own in ("regression", "forecasting") and inferred.kind in ("category", "text"):
        numbers = pd.to_numeric(frame[target].dropna(), errors="coerce")
        if numbers.notna().mean() > LIKELY:
            convert_column(frame[target], Inference("number", ""), "--target")  # says which is none
    _refuse_target(frame[target], inferred, different, own)
    if inferred.kind == "category" or different <= 2:
        return ["classification", "anomaly_detection"], f'"{target}" holds {different:,} labels'
    few = different <= FEW and (pd.to_numeric(frame[target].dropna()) % 1 == 0).all()
    types = ["classification", "regression", "anomaly_detection"] if few else ["regression"]
    series = find_series(frame.drop(columns=target))
    if own == "forecasting":
        series = series or refuse_dates(frame)
    elif not series or series.doubt:
        return types, f'"{target}" is a number with {different:,} different values'
    each = "".join(f' for each "{name}"' for name in series.by)
    dates = f', there once{each} for each of {series.periods:,} regular dates "{series.date}"'
    if series.doubt:
        dates = f' of dates "{series.date}"'
    return ["forecasting", *types], f'"{target}" is a number{dates}'


def _refuse_target(values: pd.Series, inferred: Inference, different: int, own: str) -> None:
    """Refuse a target that is neither a number nor a label, or has nothing to tell."""
    reason = inferred.reason
    if different < 2 and own != "anomaly_detection":  # whose labels may be to come
        reason = f"is {values.dropna().iloc[0]} in every row" if different else "is empty"
    elif inferred.kind not in ("date", "text") and (
        inferred.kind == "number" or different <= max(MOST_CLASSES, len(values) / 2)
    ):
        return
    raise UserError(
        f'"{values.name}" {reason}, but a target is a label or a number, with more than one '
        "value; choose another column, or make one from it (nothing was written)."
    )


def refuse_dates(frame: pd.DataFrame) -> NoReturn:
    """Say which value keeps a column from being the dates of series, or that there is none."""
    for name in frame.select_dtypes("str"):
        likely = infer(frame[name], "date")
        if parse(frame[name], likely.written).notna().mean() > LIKELY:
            convert_column(frame[name], likely, "[columns] date")
    raise UserError(
        "No column holds dates, and a forecast needs the date of each value; write them like "
        "2026-01-31 in a column of their own (nothing was written)."
    )


def find_series(frame: pd.DataFrame) -> SeriesColumns | None:
    """Return how the rows may be series; None without a column of dates."""
    kinds = {str(name): infer(frame[name]) for name in frame}
    most = len(frame) / LEAST_PERIODS
    labelling = [
        name
        for kind in ("category", "number")
        for name, inferred in kinds.items()
        if inferred.kind == kind and 1 < frame[name].nunique() <= most
    ]
    dates = [name for name, inferred in kinds.items() if inferred.kind == "date"]
    if not dates:  # then whole numbers may be; but the months beside a year are no series
        dates = [str(name) for name in frame if may_be_periods(frame[name])]
        years = frame[dates].max().min() < YEARS
        months = [name for name in labelling if years and frame[name].isin(range(13)).all()]
        labelling = [name for name in labelling if name not in {*dates, *months}]
        kinds |= {name: infer(frame[name], "date") for name in dates}
    found = [_series(frame, date, kinds[date], labelling[:MOST_LABELLING]) for date in dates]
    return min(found, key=lambda series: series.doubt, default=None)


def _series(
    frame: pd.DataFrame, date: str, inferred: Inference, labelling: list[str]
) -> SeriesColumns:
    """Return a date with the fewest columns beside which it hardly stands twice."""
    try:
        dates = convert(frame[date], "date", inferred.written)
    except ConversionError:  # `check` says in which row
        return SeriesColumns(date, [], frame[date].nunique(), 1)
    periods = dates.nunique()
    places = pd.Series(pd.factorize(dates, sort=True)[0], frame.index)
    some = places % (1 + len(frame) // ROWS) == 0  # all rows of a part of the dates
    rows = frame[some].assign(**{PLACE: places[some]})
    for by in ([], *([name] for name in labelling), *map(list, combinations(labelling, 2))):
        repeated = rows.duplicated([PLACE, *by]).mean()
        if repeated <= REPEATED and (not by or _is_filled(places, frame, by)):
            doubt = 1
            if not repeated and dates.notna().all() and periods >= LEAST_PERIODS:
                with suppress(UserError):
                    infer_calendar(dates, label_series(frame, by))
                    doubt = 0
            return SeriesColumns(date, by, periods, doubt)
    return SeriesColumns(date, [], periods, 2)


def _is_filled(places: pd.Series, frame: pd.DataFrame, by: list[str]) -> bool:
    """Return whether each series has most of the dates between its first and its last."""
    each = places.groupby([frame[name] for name in by])
    return len(frame) > FILLED * float((each.max() - each.min() + 1).sum())
