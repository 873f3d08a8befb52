"""Take the test set, and cut the training rows into folds by the same rule."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from ..errors import UserError
from ..problem.columns import column_of
from ..problem.definition import Definition
from ..problem.series import PERIOD, least_periods
from .schema import DATE, GROUP

Folds = list[tuple[np.ndarray, np.ndarray]]
TakeTest = Callable[[pd.DataFrame, Definition, np.ndarray], np.ndarray]
CutFolds = Callable[[pd.DataFrame, Definition], Folds]


def newest_rows(rows: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Return the newest ``[split] newest_rows``, by date or else by their order."""
    number = definition.split.newest_rows
    if not 0 < number < len(rows):
        return rows
    if DATE not in rows:
        return rows.iloc[-number:]
    return rows[rows[DATE].rank(method="first") > len(rows) - number]


def take_test(rows: pd.DataFrame, definition: Definition, may_test: np.ndarray) -> np.ndarray:
    """Return which rows are for the test, by ``[split]``; of series the last horizons.

    Parameters
    ----------
    rows : DataFrame of n rows
        The columns as collected, the target, and " date" and " group" where [columns] names them.
    definition
        Says how the rows are split.
    may_test : ndarray of bool, (n,)
        Which rows may be chosen. All of them, but when a champion is compared with a challenger:
        then none that the champion was trained on.

    Returns
    -------
    ndarray of bool, (n,)
        By date, the newest rows (rows of one date stay together); by group, whole groups, none of
        which has a row that may not be chosen; else at random, and stratified where the target is a
        class. By "none", all rows, which are then for training as well; but if a champion was
        trained on some, random ones of the others.

    Raises
    ------
    UserError
        If a side would be empty, or lack a class.
    """
    if definition.problem.of_series:
        return _take_last_horizons(rows, definition, may_test)
    by, share = definition.split_by(), definition.split.test_share
    if by == "none" and (may_test.all() or not may_test.any()):
        return np.ones(len(rows), dtype=bool)
    if by == "date":
        test = _take_newest(rows[DATE], share) & may_test
    elif by == "group":
        mixed = rows.loc[~may_test, GROUP]
        test = _draw(rows, definition, may_test & ~rows[GROUP].isin(mixed).to_numpy())
        test = rows[GROUP].isin(rows.loc[test, GROUP]).to_numpy()  # each as a whole
    else:
        test = _draw(rows, definition, may_test)
    if not test.any() or test.all():
        known = f", {(~may_test).sum():,} of which a champion knows," if not may_test.all() else ""
        raise UserError(
            f"[split] test_share = {share} of {len(rows):,} rows{known} taken by {by} leaves "
            f"{test.sum():,} for the test; add rows, or change [split]."
        )
    if definition.problem.needs_target and definition.problem.target_kind == "category":
        _check_classes(rows[definition.problem.target], test, by)
    return test


def _take_newest(dates: pd.Series, share: float) -> np.ndarray:
    cut = dates.quantile(1 - share, interpolation="lower")
    later = (dates > cut).to_numpy()
    return later if later.any() else (dates == cut).to_numpy()  # the last date has them all


def _draw(rows: pd.DataFrame, definition: Definition, may_test: np.ndarray) -> np.ndarray:
    """Return which rows are drawn at random, about as many as [split] says."""
    by, seed = definition.split_by(), definition.search.seed
    wanted, pool = round(definition.split.test_share * len(rows)), np.flatnonzero(may_test)
    if not may_test.all():
        pool = pool[-2 * wanted :]  # the newest rows say most about tomorrow
    try:
        if len(pool) <= wanted:
            chosen = np.arange(len(pool))
        elif by == "group":
            splitter = GroupShuffleSplit(1, test_size=wanted / len(pool), random_state=seed)
            chosen = next(splitter.split(pool, groups=rows[GROUP].iloc[pool]))[1]
        else:
            stratum = _stratum(column_of(rows, definition.problem.target).iloc[pool], definition)
            if stratum is not None:
                counts = stratum.value_counts()
                few = len(counts) > min(wanted, len(pool) - wanted) or counts.min() < 2
                stratum = None if few else stratum
            chosen = train_test_split(
                np.arange(len(pool)), test_size=wanted, stratify=stratum, random_state=seed
            )[1]
    except ValueError as error:
        raise UserError(
            f"{len(pool):,} rows cannot be split by {by}, {wanted:,} of them for the test "
            f"({error}); add rows, or change [split]."
        ) from None
    return np.isin(np.arange(len(rows)), pool[chosen])


def _stratum(target: pd.Series, definition: Definition) -> pd.Series | None:
    """Return the class of each row, "" where it is missing; None if the target is a number."""
    return target.fillna("") if definition.problem.target_kind == "category" else None


def _check_classes(target: pd.Series, test: np.ndarray, by: str) -> None:
    """Refuse a split in which a class cannot be learned, or in which there is only one."""
    missing = sorted(set(target[test]) - set(target[~test]))
    if missing:
        raise UserError(
            f'Class "{missing[0]}" of the target "{target.name}" is in test rows, taken by {by}, '
            "but in no training row; add rows, merge classes, or change [split]."
        )
    if target[test].nunique() < 2:
        raise UserError(
            f"The {test.sum():,} test rows, taken by {by}, have one class of the target "
            f'"{target.name}", "{target[test].iloc[0]}"; add rows, or change [split].'
        )


def _take_last_horizons(
    rows: pd.DataFrame, definition: Definition, may_test: np.ndarray
) -> np.ndarray:
    """Return which rows are in the last horizons, or after what a champion was trained on.

    Rows after the history, which hold what is known ahead of time, stay with the test.
    """
    present = rows[definition.problem.target].notna()
    end = int(rows.loc[present, PERIOD].max()) + 1
    start = end - definition.split.test_horizons * definition.problem.horizon
    trained = rows.loc[present & ~may_test, PERIOD]
    after = int(trained.max()) + 1 if len(trained) else start
    start = max(start, after) if after < end else start
    return (rows[PERIOD] >= start).to_numpy()


def cut_folds(train: pd.DataFrame, definition: Definition) -> Folds:
    """Cut training rows into folds for cross-validation, by the rule of the split.

    Parameters
    ----------
    train : DataFrame of n rows
        The target, and " date" and " group" where [columns] names them; by date if they have one.
    definition
        Says how the rows are split, and how many folds there are.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Positions of the rows to fit to and of those to score. By date, each fold is scored on what
        came after its training rows; otherwise every row is scored once.

    Raises
    ------
    UserError
        If there are too few rows, groups or rows of a class for so many folds.
    """
    if definition.problem.of_series:
        return cut_origins(train, definition)
    by, number, seed = definition.split_by(), definition.search.folds, definition.search.seed
    target = column_of(train, definition.problem.target)
    stratum = _stratum(target, definition)
    groups = train[GROUP] if by == "group" else None
    if by == "date":
        splitter = TimeSeriesSplit(number)
    else:
        shuffled = {"n_splits": number, "shuffle": True, "random_state": seed}
        if by == "group":
            kind = GroupKFold if stratum is None else StratifiedGroupKFold
        else:
            kind = KFold if stratum is None else StratifiedKFold
        splitter = kind(**shuffled)
    try:
        folds = list(splitter.split(train, target if stratum is None else stratum, groups))
    except ValueError as error:
        raise UserError(
            f"{len(train):,} training rows cannot be cut into [search] folds = {number} by {by} "
            f"({error}); lower folds or add rows."
        ) from None
    if by == "date":
        folds = [(_earlier(train[DATE], inside, outside), outside) for inside, outside in folds]
        folds = [fold for fold in folds if len(fold[0])]
    if not folds:
        raise UserError(
            f"The {len(train):,} training rows have too few different dates for folds by date; "
            'set [split] by to "random".'
        )
    if stratum is None or not definition.problem.needs_target:
        return folds
    classes = stratum.nunique()
    whole = [f for f in folds if all(stratum.iloc[part].nunique() == classes for part in f)]
    if not whole:
        raise UserError(
            f'No fold, cut by {by}, has every class of "{definition.problem.target}" on both '
            'sides; lower [search] folds, or set [split] by to "random".'
        )
    return whole


def _earlier(dates: pd.Series, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return the rows of `inside` before the first date of `outside`: no date is on both sides."""
    return inside[(dates.iloc[inside] < dates.iloc[outside].min()).to_numpy()]


def cut_origins(train: pd.DataFrame, definition: Definition) -> Folds:
    """Cut series into folds, each of which is scored on the horizon after an origin.

    The last one leaves a whole horizon. Neighbours are a horizon apart or, where the history is
    short, as far as it allows. The first has, if it can be had, a horizon of history beyond what a
    forecast needs at least.
    """
    horizon, number = definition.problem.horizon, definition.search.folds
    season = definition.problem.season
    least = least_periods(season if isinstance(season, int) else 1)
    periods = train[PERIOD].to_numpy()
    start = periods.min()
    last = periods[train[definition.problem.target].notna()].max() + 1 - start - horizon
    first = min(last, max(least, min(least + horizon, last - number + 1)))
    stride = min(horizon, (last - first) // (number - 1))
    origins = [start + last - stride * k for k in range(number if stride else 1)][::-1]
    return [
        (
            np.flatnonzero(periods < origin),
            np.flatnonzero((periods >= origin) & (periods < origin + horizon)),
        )
        for origin in origins
    ]
