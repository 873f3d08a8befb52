"""What is particular to predicting a quantity: its target, metrics and baselines."""

from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from ..errors import UserError
from ..report import counted, number
from .columns import ConversionError, convert, infer
from .metric import HIGHER, LOWER, coverage, mae, mape, metric_table, rmse
from .settings import Kind, RowEvaluation, Supervised

Evaluation = RowEvaluation

MOST_ZEROS = 0.5  # with more, MAPE tells of the exceptions only
INTERVAL = 0.9  # the share of true values that should lie between `low` and `high`


class Problem(Supervised):
    """``[problem]``: what is predicted and what is good enough."""

    target_kind: ClassVar[Kind] = "number"

    type: Literal["regression"]
    baseline: Literal["mean", "median"]


def arrays(target: pd.Series, predictions: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return what the metrics take, each with one entry for a row."""
    columns = predictions.reindex(columns=["prediction", "low", "high"])
    return (target.to_numpy(dtype=float), *columns.to_numpy(dtype=float).T)


def _r2(true: np.ndarray, predicted: np.ndarray, *_: np.ndarray) -> float:
    total = np.sum((true - true.mean()) ** 2)
    return float(1 - np.sum((true - predicted) ** 2) / total) if total else 0.0


def _pinball(true: np.ndarray, _: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Return the mean pinball loss of the two limits of the interval (Koenker, Bassett, 1978)."""
    alpha = (1 - INTERVAL) / 2
    below, above = true - low, true - high
    losses = np.maximum(alpha * below, (alpha - 1) * below)
    losses += np.maximum((1 - alpha) * above, -alpha * above)
    return float(np.mean(losses) / 2)


METRICS = metric_table(
    arrays,
    ("rmse", rmse, LOWER, "RMSE"),
    ("mae", mae, LOWER, "MAE"),
    ("r2", _r2, HIGHER, "R²"),
    ("mape", mape, LOWER, "MAPE"),
    ("pinball", _pinball, LOWER, "Pinball loss", False),
    ("coverage", coverage, HIGHER, f"Coverage of the {INTERVAL:.0%} interval", False),
)


def suggest_problem(rows: int, target: pd.Series) -> dict[str, tuple[Any, str]]:
    """Return the metric and the baseline for new data, each with its reason."""
    return {"metric": ("rmse", ""), "baseline": ("mean", "")}


def check_target(target: pd.Series, problem: Supervised, folds: int) -> str:
    """Check that the target can be predicted as a quantity, and describe it in a sentence."""
    name = f'target "{problem.target}"'
    try:
        numbers = convert(target, "number", infer(target, "number").written).dropna()
    except ConversionError as error:
        change = "`copier update --data problem_type=classification` fits it"
        raise UserError(f"The {error}; if it is a class, {change}.") from None
    if numbers.empty:
        raise UserError(f"The {name} is missing in every row; numbers are needed.")
    if numbers.nunique() == 1:
        value = f"{numbers.iloc[0]:,.15g}"
        raise UserError(f"The {name} is {value} in every row; no model can use that.")
    if len(numbers) <= folds:
        raise UserError(
            f"The {name} has {counted(len(numbers), 'row')}; more than [search] folds = {folds} "
            "are needed, so add rows or lower folds."
        )
    zeros = (numbers == 0).mean()
    if problem.metric == "mape" and zeros > MOST_ZEROS:
        raise UserError(
            f'[problem] metric "mape" leaves out rows whose target is 0, but that is {zeros:.0%} '
            f'of "{problem.target}", and {MOST_ZEROS:.0%} at most are allowed; take "mae", say.'
        )
    least, most, usual = map(number, (numbers.min(), numbers.max(), numbers.median()))
    return f"a number from {least} to {most}, typically {usual}"
