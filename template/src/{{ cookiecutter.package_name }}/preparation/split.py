"""Which rows are kept for the test, and how the others are cut into folds."""

import mlsteps.preparation
import numpy as np
import pandas as pd
from mlsteps.preparation import Definition, Folds


def take_test(rows: pd.DataFrame, definition: Definition, may_test: np.ndarray) -> np.ndarray:
    """Return which rows are for the test, as booleans (n,).

    Parameters
    ----------
    rows : DataFrame of n rows
        The columns as collected, and the date and the group of each row as the columns `DATE` and
        `GROUP` of `mlsteps.preparation`, where [columns] names them.
    definition
        The settings of project.toml; ``definition.split`` says by what the rows are split.
    may_test : ndarray of bool, (n,)
        Which rows may be chosen: all, but when a new model is compared with one that serves.
    """
    return mlsteps.preparation.take_test(rows, definition, may_test)


def cut_folds(train: pd.DataFrame, definition: Definition) -> Folds:
    """Return the folds of cross-validation: pairs of positions to fit to and to score.

    What a splitter of scikit-learn yields will do, ``KFold(5).split(train)`` say.

    Parameters
    ----------
    train : DataFrame of n rows
        The target, `DATE` and `GROUP`, as above; sorted by date if there is one.
    definition
        The settings of project.toml.
    """
    return mlsteps.preparation.cut_folds(train, definition)
