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
CHANGE = "copier update --data problem_type="
UNCHANGED = "(nothing was written)"


@dataclass(frozen=True)
class Regular:
    """The column of the dates, the one that tells series apart ("" for one), and the dates."""

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
            f'"{target}" is only compared with the clusters; to predict it, `{CHANGE}'
            "classification` (a label) or `… problem_type=regression` (a number)"
        )
    fitting = _fitting(frame, target)
    if own in fitting:
        others = {why: kind for kind, why in fitting.items() if why != fitting[own]}
        also = [f"; {why}, so `{CHANGE}{kind}` fits as well" for why, kind in others.items()]
        return fitting[own] + "".join(also)
    kind, reason = next(iter(fitting.items()))
    raise UserError(
        f"{reason}, so this is {kind}, but the project holds the code for {own}; run "
        f"`{CHANGE}{kind}`, then this again {UNCHANGED}."
    )


def _without_target(frame: pd.DataFrame, own: str) -> str:
    uses = {
        "clustering": "rows that are alike can be grouped",
        "anomaly_detection": "rows that are not like the others can be flagged",
    }
    if own in uses:
        other = next(kind for kind in uses if kind != own)
        return (
            f"there is no column to predict, so {uses[own]}; `{CHANGE}{other}` if {uses[other]} "
            "instead"
        )
    regular = find_series(frame)
    series = f" What is {regular.words()} can be forecast: name it." if regular else ""
    if of_type("problem", own).Problem.of_series:
        raise UserError(
            f"Without --target nothing is named that can be forecast {UNCHANGED}.{series}"
        )
    raise UserError(
        "Without --target there is no column to predict, so this is clustering or "
        f"anomaly_detection, but the project holds the code for {own}; name the column with "
        f"--target, or run `{CHANGE}clustering` or `… problem_type=anomaly_detection`, then this "
        f"again {UNCHANGED}.{series}"
    )


def _fitting(frame: pd.DataFrame, target: str) -> dict[str, str]:
    """Return the types that fit a target, the likeliest first, each with its reason."""
    values = frame[target]
    different = values.nunique()
    if different < 2:
        raise UserError(
            f'The target "{target}" has {different} different values; at least two are needed.'
        )
    inferred = infer(values)
    if inferred.kind in ("date", "text"):
        raise UserError(
            f'"{target}" {inferred.reason}, but a target is a label or a number; choose another '
            "column, or make one from it."
        )
    if inferred.kind == "category" or different == 2:
        reason = f'"{target}" holds {different:,} labels'
        shares = labels(values).value_counts(normalize=True)
        rare = len(shares) == 2 and shares.iloc[1] < RARE
        is_rare = f', and "{shares.index[1]}" is rare ({shares.iloc[1]:.1%})' if rare else ""
        return {"classification": reason, "anomaly_detection": reason + is_rare}
    reason = f'"{target}" is a number with {different:,} different values'
    numbers = pd.to_numeric(values.dropna(), errors="coerce")
    fitting = {"regression": reason}
    if different <= FEW and (numbers % 1 == 0).all():
        reason += ", few enough for classes"
        fitting = dict.fromkeys(("classification", "regression", "anomaly_detection"), reason)
    regular = find_series(frame.drop(columns=target))
    if regular:
        fitting = {"forecasting": f'"{target}" is a number, {regular.words()}', **fitting}
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
