"""Tell which types of problem some data can be, whatever this project holds the code for."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import UserError
from .columns import ConversionError, convert, infer

FEW = 20  # whole numbers with so many different values can be classes as well as quantities
LEAST_PERIODS = 8  # of a series
LIKE, REGULAR = 0.25, 0.8  # so many steps between dates differ by less than that from their median
FILLED = 0.5  # of the values that all series would have at all dates


class Regular(NamedTuple):
    """The column of regular dates, the one that tells series apart ("" for one), and the dates."""

    date: str
    by: str
    periods: int


def check_type(frame: pd.DataFrame, target: str, own: str) -> str:
    """Return why the type of this project fits the data, or raise a UserError."""
    if not target:
        types, reason = ["clustering", "anomaly_detection"], "there is no column to predict"
    elif own == "clustering":
        return f'"{target}" is only compared with the clusters'
    else:
        types, reason = _types(frame, target)
    if own in types:
        return reason
    found, name_it = types[0], ""
    if not target:
        found, name_it = " or ".join(types), "name the column with --target, or "
    raise UserError(
        f"{reason}, so this is {found}, but the project holds the code for {own}; {name_it}run "
        f"`copier update --data problem_type={types[0]}`, then this again (nothing was written)."
    )


def _types(frame: pd.DataFrame, target: str) -> tuple[list[str], str]:
    """Return the types that fit a target, the likeliest first, and the reason."""
    inferred, different = infer(frame[target]), frame[target].nunique()
    if inferred.kind in ("date", "text"):
        raise UserError(
            f'"{target}" {inferred.reason}, but a target is a label or a number; choose another '
            "column, or make one from it."
        )
    if inferred.kind == "category" or different <= 2:
        return ["classification", "anomaly_detection"], f'"{target}" holds {different:,} labels'
    reason = f'"{target}" is a number with {different:,} different values'
    series = find_series(frame.drop(columns=target))
    if series:
        each = f' for each "{series.by}"' if series.by else ""
        dates = f'{series.periods:,} regular dates "{series.date}"'
        reason = f'"{target}" is a number, there once{each} for each of {dates}'
    few = different <= FEW and (pd.to_numeric(frame[target].dropna()) % 1 == 0).all()
    types = ["classification", "regression", "anomaly_detection"] if few else ["regression"]
    return ["forecasting", *types] if series else types, reason


def find_series(frame: pd.DataFrame) -> Regular | None:
    """Return how the rows are series: regular dates, with one row for each label of a column."""
    for name in frame:
        inferred = infer(frame[name])
        if inferred.kind != "date" or frame[name].isna().any():
            continue
        try:
            dates = convert(frame[name], "date", inferred.date_format)
        except ConversionError:
            continue
        periods = np.sort(dates.unique()).astype("int64")
        if len(periods) < LEAST_PERIODS or not _is_regular(np.diff(periods)):
            continue
        if dates.is_unique:
            return Regular(str(name), "", len(periods))
        for other in frame.columns.drop(name):
            count = frame[other].nunique()
            full = count > 1 and len(frame) > FILLED * len(periods) * count
            if full and not pd.DataFrame({"date": dates, "by": frame[other]}).duplicated().any():
                return Regular(str(name), str(other), len(periods))
    return None


def _is_regular(steps: np.ndarray) -> bool:
    middle = np.median(steps)
    return bool(np.mean(np.abs(steps - middle) <= LIKE * middle) >= REGULAR)
