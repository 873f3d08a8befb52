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


def newest(rows: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Return the newest ``[split] newest_rows``, by date or else by their order."""
    number = definition.split.newest_rows
    if not 0 < number < len(rows):
        return rows
    if DATE not in rows:
        return rows.iloc[-number:]
    return rows[rows[DATE].rank(method="first") > len(rows) - number]


def take_test(rows: pd.DataFrame, definition: Definition, may_test: np.ndarray) -> np.ndarray:
    """Return which rows are for the test: of series the last horizons.

    Parameters
    ----------
    rows : DataFrame of n rows
        With the target, and the columns `DATE` or `GROUP` where the split needs them.
    may_test : ndarray of bool, (n,)
        Which rows may be chosen. All of them, but when a champion is to be compared with a
        challenger: then none that the champion was trained on.

    Returns
    -------
    ndarray of bool, (n,)
        By date, the newest rows (rows of one date are never parted); by group, whole groups, none
        of which has a row that may not be chosen; else at random, and stratified where the target
        is a class. By none, all rows, which are then learnt from as well; those that a champion
        does not know are kept apart all the same.

    Raises
    ------
    UserError
        If a side would be empty, or lack a class.
    """
    if definition.problem.of_series:
        return take_last_horizons(rows, definition, may_test)
    by, share = definition.split_by(), definition.split.test_share
    test = np.zeros(len(rows), dtype=bool)
    if by == "none" and (may_test.all() or not may_test.any()):
        return ~test
    if by == "group":
        may_test = ~rows[GROUP].isin(rows.loc[~may_test, GROUP]).to_numpy()
    if by == "date":
        newest = rows[DATE].quantile(1 - share, interpolation="lower")
        test = (rows[DATE] > newest).to_numpy()
        if not test.any():  # the last date alone has more rows than asked for
            test = (rows[DATE] == newest).to_numpy()
        test = test & may_test
    else:
        pool = np.flatnonzero(may_test)
        wanted = round(share * len(rows))
        if not may_test.all():
            pool = pool[-2 * wanted :]  # the newest rows say most about tomorrow
        if len(pool) > wanted:  # what is not tested is learnt from
            pool = pool[_choose(rows.iloc[pool], definition, by, wanted)]
        test[pool] = True
    if by == "group":  # those that the pool parted
        test = rows[GROUP].isin(rows.loc[test, GROUP]).to_numpy()
    if not test.any() or test.all():
        learnt = f", {(~may_test).sum():,} of which a champion knows," if not may_test.all() else ""
        raise UserError(
            f"[split] test_share = {share} of {len(rows):,} rows{learnt} taken by {by} leaves "
            f"{test.sum():,} for the test; add rows, or change [split]."
        )
    if definition.problem.needs_target and definition.problem.target_kind == "category":
        _check_classes(rows[definition.problem.target], test, by)
    return test


def _check_classes(target: pd.Series, test: np.ndarray, by: str) -> None:
    """Refuse a split in which a class cannot be learnt, or nothing can be told apart."""
    unlearnt = sorted(set(target[test]) - set(target[~test]))
    if unlearnt:
        raise UserError(
            f'Class "{unlearnt[0]}" of the target "{target.name}" is in test rows, taken by {by}, '
            "but in no training row; add rows, merge classes, or change [split]."
        )
    if target[test].nunique() < 2:
        raise UserError(
            f"The {test.sum():,} test rows, taken by {by}, have one class of the target "
            f'"{target.name}", "{target[test].iloc[0]}"; add rows, or change [split].'
        )


def cut_folds(train: pd.DataFrame, definition: Definition) -> Folds:
    """Cut training rows into folds for cross-validation, by the rule of the split.

    Returns
    -------
    list of (train, test)
        Positions of rows. By date, each fold is tested on what came after its training rows;
        otherwise every row is tested once.

    Raises
    ------
    UserError
        If there are too few rows, groups or rows of a class for so many folds.
    """
    if definition.problem.of_series:
        return cut_origins(train, definition)
    by, number, seed = definition.split_by(), definition.search.folds, definition.search.seed
    target = column_of(train, definition.problem.target)
    stratified = definition.problem.target_kind == "category"
    if stratified:
        target = target.fillna("")
    if by == "date":
        splitter, groups = TimeSeriesSplit(number), None
    elif by == "group":
        groups = train[GROUP]
        splitter = (StratifiedGroupKFold if stratified else GroupKFold)(
            number, shuffle=True, random_state=seed
        )
    else:
        groups = None
        splitter = (StratifiedKFold if stratified else KFold)(
            number, shuffle=True, random_state=seed
        )
    try:
        folds = list(splitter.split(train, target, groups))
        if by == "date":
            folds = [(_earlier(train[DATE], *fold), fold[1]) for fold in folds]
    except ValueError as error:
        raise UserError(
            f"{len(train):,} training rows cannot be cut into [search] folds = {number} by {by} "
            f"({error}); lower folds or add rows."
        ) from None
    folds = [fold for fold in folds if len(fold[0])]
    if not folds:
        raise UserError(
            f"The {len(train):,} training rows have too few different dates for folds by date; "
            'set [split] by to "random".'
        )
    if not (stratified and definition.problem.needs_target):
        return folds
    classes = target.nunique()
    whole = [f for f in folds if all(target.iloc[part].nunique() == classes for part in f)]
    if not whole:
        raise UserError(
            f'No fold, cut by {by}, has every class of "{definition.problem.target}" on both '
            'sides; lower [search] folds, or set [split] by to "random".'
        )
    return whole


def _earlier(dates: pd.Series, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return the rows of `inside` before the first date of `outside`: no date is on both sides."""
    return inside[(dates.iloc[inside] < dates.iloc[outside].min()).to_numpy()]


def _choose(pool: pd.DataFrame, definition: Definition, by: str, wanted: int) -> np.ndarray:
    """Return the positions in `pool` of about `wanted` rows."""
    seed, target = definition.search.seed, column_of(pool, definition.problem.target)
    try:
        if by == "group":
            splitter = GroupShuffleSplit(1, test_size=wanted / len(pool), random_state=seed)
            return next(splitter.split(pool, groups=pool[GROUP]))[1]
        counts, least = target.value_counts(dropna=False), min(wanted, len(pool) - wanted)
        stratify = definition.problem.target_kind == "category" and counts.min() > 1 and len(counts) <= least
        stratum = target.fillna("") if stratify else None
        return train_test_split(
            np.arange(len(pool)), test_size=wanted, stratify=stratum, random_state=seed
        )[1]
    except ValueError as error:
        raise UserError(
            f"{len(pool):,} rows cannot be split by {by}, {wanted:,} of them for the test "
            f"({error}); add rows, or change [split]."
        ) from None


def take_last_horizons(
    rows: pd.DataFrame, definition: Definition, may_test: np.ndarray
) -> np.ndarray:
    """Return which rows are for the test: the last horizons, or what a champion does not know.

    Rows after the history, which tell what is known ahead of time, stand with the test.
    """
    present = rows[definition.problem.target].notna()
    end = int(rows.loc[present, PERIOD].max()) + 1
    start = end - definition.split.test_horizons * definition.problem.horizon
    learnt = rows.loc[present & ~may_test, PERIOD]
    after = int(learnt.max()) + 1 if len(learnt) else start
    start = max(start, after) if after < end else start
    return (rows[PERIOD] >= start).to_numpy()


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
