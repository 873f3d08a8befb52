"""What the types that predict a quantity share: how errors are measured, and what a target must be.

The metrics take what `arrays` of their type returns, which begins with what was true, what was
predicted, and the ends of its interval.
"""

import numpy as np
import pandas as pd

from ..errors import UserError
from .columns import ConversionError, convert
from .supervised import Supervised

MOST_ZEROS = 0.5  # with more, MAPE tells of the exceptions only


def rmse(true: np.ndarray, predicted: np.ndarray, *_: np.ndarray) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((true - predicted) ** 2)))


def mae(true: np.ndarray, predicted: np.ndarray, *_: np.ndarray) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(true - predicted)))


def mape(true: np.ndarray, predicted: np.ndarray, *_: np.ndarray) -> float:
    """Return the mean absolute error as a share of the true value, where that is not 0."""
    some = true != 0
    shares = np.abs((true[some] - predicted[some]) / true[some])
    return float(np.mean(shares)) if some.any() else np.nan


def coverage(
    true: np.ndarray, predicted: np.ndarray, low: np.ndarray, high: np.ndarray, *_: np.ndarray
) -> float:
    """Return the share of true values inside of their interval, NaN where there is none."""
    known = ~np.isnan(low)
    inside = (low <= true) & (true <= high)
    return float(np.mean(inside[known])) if known.any() else np.nan


def check_quantity(target: pd.Series, problem: Supervised) -> pd.Series:
    """Return the values of a target that are there, as numbers.

    Raises
    ------
    UserError
        If it is empty, constant, not numbers, or too often 0 for its metric.
    """
    name = f'target "{problem.target}"'
    try:
        numbers = convert(target, "number").dropna()
    except ConversionError as error:
        raise UserError(
            f"The {error}; if it is a class, `copier update --data problem_type=classification` "
            "fits it."
        ) from None
    if numbers.empty:
        raise UserError(f"The {name} is missing in every row; numbers are needed.")
    if numbers.nunique() == 1:
        raise UserError(f"The {name} is {numbers.iloc[0]:g} in every row; nothing can be learnt.")
    zeros = (numbers == 0).mean()
    if problem.metric == "mape" and zeros > MOST_ZEROS:
        raise UserError(
            f'[problem] metric "mape" leaves out rows whose target is 0, but that is {zeros:.0%} '
            f'of "{problem.target}", and {MOST_ZEROS:.0%} at most are allowed; take "mae", say.'
        )
    return numbers


def describe_quantity(numbers: pd.Series) -> str:
    """Describe the values of a target, as part of a sentence."""
    return (
        f"a number from {numbers.min():,.6g} to {numbers.max():,.6g}, "
        f"typically {numbers.median():,.6g}"
    )
