"""Take the test set, and cut the training rows into folds by the same rule."""

import warnings
from collections.abc import Callable, Iterable

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
from ..problem.eligible import DATE
from ..problem.series import PERIOD, least_periods
from .schema import ALIKE, GROUP

Fold = tuple[np.ndarray, np.ndarray]  # positions of the rows to fit to, and of those to score
Folds = Iterable[Fold]
TakeTest = Callable[[pd.DataFrame, Definition, np.ndarray], np.ndarray]
CutFolds = Callable[[pd.DataFrame, Definition], Folds]


def take_test(rows: pd.DataFrame, definition: Definition, may_test: np.ndarray) -> np.ndarray:
    """Return which rows are for the test, by ``[split]``; of series the last horizons.

    Parameters
    ----------
    rows : DataFrame of n rows
        The columns as collected, the target, and the columns `DATE` and `GROUP` where ``[columns]``
        names a date and a group; of series, `PERIOD` of `mlsteps.problem.series`.
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
        class; rows of equal inputs stay together where they may be one thing. By "none", all rows,
        which are then for training as well; but if a champion was trained on some, random ones of
        the others.

    Raises
    ------
    UserError
        If a side would be empty, or lack a class.

    Examples
    --------
    A project's own rule can narrow what may be chosen::

        north = (rows["region"] == "north").to_numpy()
        return mlsteps.preparation.take_test(rows, definition, may_test & north)
    """
    problem, split, by = definition.problem, definition.split, definition.split_by()
    if problem.of_series:
        return _take_last_horizons(rows, definition, may_test)
    groups = rows[GROUP] if by == "group" else rows.get(ALIKE, rows.index.to_series())
    new = may_test & ~groups.isin(groups[~may_test]).to_numpy()
    if by == "none" and (may_test.all() or not new.any()):
        return np.ones(len(rows), dtype=bool)
    if by == "date":
        dates = rows[DATE]
        cut = dates.quantile(1 - split.test_share, interpolation="lower")
        later = dates > cut if (dates > cut).any() else dates == cut  # the last date has them all
        test = later.to_numpy() & may_test
    else:
        test = _draw(rows, definition, new)
        test = groups.isin(groups[test]).to_numpy()  # each as a whole
    if not test.any() or test.all():
        known = f", {(~may_test).sum():,} of which a champion knows," if not may_test.all() else ""
        raise UserError(
            f"[split] test_share = {split.test_share} of {len(rows):,} rows{known} taken by {by} "
            f"leaves {test.sum():,} for the test; add rows, or change [split]."
        )
    if problem.needs_target and problem.target_kind == "category":
        classes = rows[problem.target]
        unseen = sorted(set(classes[test]) - set(classes[~test]))
        if unseen or classes[test].nunique() < 2:
            wrong = f'class "{unseen[0]}", which no training row has' if unseen else "one class"
            raise UserError(
                f"The {test.sum():,} test rows, taken by {by}, have {wrong} of the target "
                f'"{problem.target}"; add rows, merge classes, or change [split].'
            )
    return test


def _draw(rows: pd.DataFrame, definition: Definition, may_test: np.ndarray) -> np.ndarray:
    """Return which rows are drawn at random, about as many as [split] says; one of equal ones."""
    by, seed, one = definition.split_by(), definition.search.seed, _one_of_each(rows, definition)
    wanted, pool = round(definition.split.test_share * len(one)), one[may_test[one]]
    if not may_test.all():
        pool = pool[-2 * wanted :]  # the newest rows say most about tomorrow
    try:
        if len(pool) <= wanted:
            chosen = np.arange(len(pool))
        elif by == "group":
            splitter = GroupShuffleSplit(1, test_size=wanted / len(pool), random_state=seed)
            chosen = next(splitter.split(pool, groups=rows[GROUP].iloc[pool]))[1]
        else:
            stratum = _stratum(rows.iloc[pool], definition)
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


def _stratum(rows: pd.DataFrame, definition: Definition) -> pd.Series | None:
    """Return the class of each row, "" where it is missing; None if the target is a number."""
    problem = definition.problem
    if problem.target_kind != "category":
        return None
    return column_of(rows, problem.target).fillna("")


def _one_of_each(rows: pd.DataFrame, definition: Definition) -> np.ndarray:
    """Return the positions of one of all rows with equal inputs: the first of the rarest class."""
    order, stratum = np.arange(len(rows)), _stratum(rows, definition)
    if ALIKE not in rows:
        return order
    if stratum is not None:
        order = np.argsort(stratum.map(stratum.value_counts()).to_numpy(), kind="stable")
    return np.sort(order[~rows[ALIKE].iloc[order].duplicated().to_numpy()])


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


def cut_folds(train: pd.DataFrame, definition: Definition) -> list[Fold]:
    """Cut training rows into folds for cross-validation, by the rule of the split.

    Parameters
    ----------
    train : DataFrame of n rows
        The target, and `DATE` and `GROUP` where ``[columns]`` names them; by date if they have one.
        Of series, `SERIES` and `PERIOD` of `mlsteps.problem.series`.
    definition
        Says how the rows are split, and how many folds there are.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Positions of the rows to fit to and of those to score. By date, each fold is scored on what
        came after its training rows; otherwise every row is scored once, with those of equal
        inputs. Series are scored on the horizon after an origin.

    Raises
    ------
    UserError
        If there are too few rows, groups or rows of a class for so many folds.

    Examples
    --------
    A project's own `cut_folds` may return what a splitter of scikit-learn yields::

        return RepeatedKFold(n_splits=5, n_repeats=2).split(train)
    """
    if definition.problem.of_series:
        return _cut_origins(train, definition)
    by, number = definition.split_by(), definition.search.folds
    stratum, one = _stratum(train, definition), _one_of_each(train, definition)
    if by == "date":
        splitter = TimeSeriesSplit(number)
    else:
        if by == "group":
            kind = GroupKFold if stratum is None else StratifiedGroupKFold
        else:
            kind = KFold if stratum is None else StratifiedKFold
        splitter = kind(n_splits=number, shuffle=True, random_state=definition.search.seed)
    try:
        classes = stratum if stratum is None else stratum.iloc[one]
        groups = train[GROUP] if by == "group" else None
        with warnings.catch_warnings(action="ignore"):  # a label of few rows is not in every fold
            folds = list(splitter.split(one, classes, groups))
    except ValueError as error:
        raise UserError(
            f"{len(train):,} training rows cannot be cut into [search] folds = {number} by {by} "
            f"({error}); lower folds, add rows, or change [preparation] repetitions."
        ) from None
    if len(one) < len(train):  # equal rows go with the one that was drawn
        alike = train[ALIKE]
        held = [alike.isin(alike.iloc[one[score]]).to_numpy() for _, score in folds]
        folds = [(np.flatnonzero(~score), np.flatnonzero(score)) for score in held]
    if by == "date":  # no date is on both sides
        dates = train[DATE].reset_index(drop=True)
        folds = [(fit[dates[fit] < dates[score].min()], score) for fit, score in folds]
        folds = [fold for fold in folds if len(fold[0])]
    if stratum is not None and definition.problem.needs_target:
        classes = stratum.nunique()
        folds = [f for f in folds if all(stratum.iloc[side].nunique() == classes for side in f)]
    if not folds:
        raise UserError(
            f"No fold of the {len(train):,} training rows, cut by {by}, has every class and "
            'different dates on both sides; lower [search] folds, or set [split] by to "random".'
        )
    return folds


def _cut_origins(train: pd.DataFrame, definition: Definition) -> list[Fold]:
    """Cut series into folds, each of which is scored on the horizon after an origin.

    The last leaves a whole horizon; the others are a horizon apart, or as far as a history allows
    of which the first has to leave what a forecast needs at least.
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
