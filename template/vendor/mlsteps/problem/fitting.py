"""Tell which types of problem some data can be, whatever this project holds the code for."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import UserError
from ..variants import of_type
from .columns import convert, infer, labels

FEW = 20  # whole numbers with so many different values can be classes as well as quantities
RARE = 0.1  # a class below this share may be found better as what is not like the others
LEAST_PERIODS = 8  # of a series
LIKE, REGULAR = 0.25, 0.8  # so many steps between dates differ by less than that from their median
FILLED = 0.5  # of the values that all series would have at all dates


@dataclass(frozen=True)
class Regular:
    """How the rows of a table are series.

    Attributes
    ----------
    date, by
        The column of the dates, and the one that tells series apart; "" if there is one series.
    periods
        How many different dates there are.
    """

    date: str
    by: str
    periods: int

    def words(self) -> str:
        """Say it, as the end of a sentence."""
        each = f' for each "{self.by}"' if self.by else ""
        return f'there once{each} for each of {self.periods:,} regular dates "{self.date}"'


def check_type(frame: pd.DataFrame, target: str, own: str) -> str:
    """Return why the type of this project fits the data, and which others do."""
    if not target:
        return _without_target(frame, own)
    if own == "clustering":
        return (
            f'"{target}" is only compared with the clusters; to predict it, `copier update --data '
            "problem_type=classification` (a label) or `… problem_type=regression` (a number)"
        )
    fitting = _fitting(frame, target, own)
    if own in fitting:
        return fitting[own] + "".join(
            f"; {why}, so `copier update --data problem_type={kind}` fits as well"
            for kind, why in fitting.items()
            if kind not in (own, "classification", "regression")
        )
    kind, reason = next(iter(fitting.items()))
    raise UserError(
        f"{reason}, so this is {kind}, but the project holds the code for {own}; run `copier "
        f"update --data problem_type={kind}`, then this again (nothing was written)."
    )


def _without_target(frame: pd.DataFrame, own: str) -> str:
    regular = find_series(frame)
    series = f" What is {regular.words()} can be forecast: name it." if regular else ""
    if own == "forecasting":
        raise UserError(
            f"Without --target nothing is named that can be forecast (nothing was written).{series}"
        )
    if of_type("problem", own).Problem.needs_target:
        raise UserError(
            "Without --target there is no column to predict, so this is clustering (groups of rows "
            "that are alike) or anomaly_detection (rows that are not like the others), but the "
            f"project holds the code for {own}; name the column with --target, or run `copier "
            "update --data problem_type=clustering` or `… problem_type=anomaly_detection`, then "
            f"this again (nothing was written).{series}"
        )
    return {
        "clustering": "there is no column to predict, so rows that are alike can be grouped; to "
        "flag those that are not like the others, `copier update --data "
        "problem_type=anomaly_detection`",
    }.get(
        own,
        "there is no column to predict, so rows that are not like the others can be flagged; to "
        "group those that are alike, `copier update --data problem_type=clustering`",
    )


def _fitting(frame: pd.DataFrame, target: str, own: str) -> dict[str, str]:
    """Return the types that fit a target, the likeliest first, each with its reason."""
    values = frame[target]
    if values.nunique() < 2:
        raise UserError(
            f'The target "{target}" has {values.nunique()} different values; at least two are '
            "needed."
        )
    inferred = infer(values)
    if inferred.kind in {"date", "text"}:
        raise UserError(
            f'"{target}" {inferred.reason}, but a target is a label or a number; choose another '
            "column, or make one from it."
        )
    different = values.nunique()
    if inferred.kind == "number":
        reason = f'"{target}" is a number with {different:,} different values'
        whole = bool((pd.to_numeric(values.dropna()) % 1 == 0).all())
    else:
        reason, whole = f'"{target}" {inferred.reason}', False
    if inferred.kind != "number" or different <= 2:
        return _of_labels(values, reason, own)
    fitting = {"regression": reason}
    if different <= FEW and whole:
        few = f"{reason}, few enough for classes"
        fitting = {"classification": few, "regression": few, "anomaly_detection": few}
    regular = find_series(frame.drop(columns=target))
    if regular:
        return {"forecasting": f'"{target}" is a number, {regular.words()}', **fitting}
    return fitting


def _of_labels(values: pd.Series, reason: str, own: str) -> dict[str, str]:
    fitting = {"classification": reason}
    shares = labels(values).value_counts(normalize=True)
    if own == "anomaly_detection":
        fitting[own] = f"{reason}, which judge what is flagged"
    elif len(shares) == 2 and shares.iloc[1] < RARE:
        fitting["anomaly_detection"] = f'"{shares.index[1]}" is rare ({shares.iloc[1]:.1%})'
    return fitting


def find_series(frame: pd.DataFrame) -> Regular | None:
    """Return how the rows are series: regular dates, with one row for each label of a column."""
    for name in frame:
        inferred = infer(frame[name])
        if inferred.kind != "date" or frame[name].isna().any():
            continue
        dates = convert(frame[name], "date", inferred.date_format)
        periods = dates.nunique()
        if periods < LEAST_PERIODS or not _is_regular(dates):
            continue
        if dates.is_unique:
            return Regular(str(name), "", periods)
        for other in frame.columns.drop(name):
            count = frame[other].nunique()
            full = count > 1 and len(frame) > FILLED * periods * count
            if full and not pd.DataFrame({"date": dates, "by": frame[other]}).duplicated().any():
                return Regular(str(name), str(other), periods)
    return None


def _is_regular(dates: pd.Series) -> bool:
    steps = np.diff(np.sort(dates.unique()).astype("int64")).astype(float)
    middle = np.median(steps)
    return bool(np.mean(np.abs(steps - middle) <= LIKE * middle) >= REGULAR)
