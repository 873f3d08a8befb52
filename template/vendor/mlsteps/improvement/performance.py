"""How good predictions are where true labels are known: now, over time, and since when worse."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..deployment.prediction_log import LoggedPredictions
from ..evaluation.bootstrap import measure
from ..problem.columns import convert
from ..problem.definition import Definition
from ..problem.metric import Metric
from ..problem.settings import Kind
from ..report import number

ADWIN_DELTA = 0.002  # of Bifet and Gavaldà (2007): the chance of a false alarm at one cut
MOST_WINDOWS = 20
RESAMPLES = 200  # for the interval of a window, which is drawn and decides nothing

Estimate = dict[str, float]  # a metric with its 95 % interval: value, low, high


@dataclass(frozen=True)
class Change:
    """Where the errors rose: after how many rows, and the mean error of a row before and since."""

    rows: int
    before: float
    after: float


@dataclass(frozen=True)
class Performance:
    """How good the champion is on live rows, and how good it was on the test set.

    Attributes
    ----------
    title : str
        The metric.
    higher_is_better : bool
        Whether a larger value of it is a better one.
    rows : int
        How many of the newest predictions have a known true label.
    live : dict of str to float, or None
        The metric on these rows with its interval: ``value``, ``low`` and ``high``; None if they
        do not define it.
    tested : dict of str to float
        The metric on the test set.
    change : Change or None
        Where the errors of single rows rose, as ADWIN sees it; None if they did not.

    Examples
    --------
    >>> live = {"value": 0.7, "low": 0.65, "high": 0.75}
    >>> tested = {"value": 0.9, "low": 0.88, "high": 0.92}
    >>> Performance("ROC AUC", True, 500, live, tested, None).is_worse_than_tested
    True
    """

    title: str
    higher_is_better: bool
    rows: int
    live: Estimate | None
    tested: Estimate
    change: Change | None

    @property
    def is_worse_than_tested(self) -> bool:
        """Whether even the better end of the live interval is worse than that of the test set."""
        if self.live is None:
            return False
        if self.higher_is_better:
            return self.live["high"] < self.tested["low"]
        return self.live["low"] > self.tested["high"]

    def sentences(self) -> list[str]:
        """Say what is wrong: the metric, the rise of the errors, or both."""
        found = []
        if self.live and (self.is_worse_than_tested or not self.change):
            live, tested = (
                f"{number(one['low'])} to {number(one['high'])}" for one in (self.live, self.tested)
            )
            value = number(self.live["value"])
            found.append(f"{self.title} is {value} ({live}), but {tested} was promised")
        if self.change:
            found.append(
                f"the errors have risen: {self.change.before:.3f} of 1 a row before, "
                f"{self.change.after:.3f} since, seen after {self.change.rows:,} labelled rows "
                "(ADWIN)"
            )
        return found


def true_labels(logged: LoggedPredictions, kind: Kind) -> pd.Series:
    """Return the true labels of predictions, as the target has them."""
    return convert(logged.metadata["actual"], kind)


def measure_logged(
    logged: LoggedPredictions, predictions: pd.DataFrame, metric: Metric, definition: Definition
) -> Estimate | None:
    """Return a metric of predictions of logged rows; None where these do not define it."""
    target = true_labels(logged, definition.problem.target_kind)
    return measure(target, predictions, {"": metric}, definition.search.seed).get("")


def row_errors(logged: LoggedPredictions, kind: Kind) -> np.ndarray:
    """Return the error of each row between 0 and 1.

    For a class what is missing of the probability of the true one, or 0 and 1 where there are no
    probabilities; for a number the rank of its absolute error among the rows.
    """
    target, predictions = true_labels(logged, kind), logged.predictions
    if kind == "number":
        error = (target - predictions["prediction"]).abs()
        return error.rank(pct=True).to_numpy(float)
    errors = (convert(predictions["prediction"], kind) != target).astype(float)
    for label in target.unique():
        if f"probability_{label}" in predictions:
            errors = errors.mask(target == label, 1 - predictions[f"probability_{label}"])
    return errors.to_numpy(float)


def find_change(errors: np.ndarray) -> Change | None:
    """Return the last rise of the errors, found by ADWIN, or None.

    The detector keeps a window of the newest errors, and cuts off its older part when the means
    of the two parts differ by more than chance allows (Bifet and Gavaldà, 2007).
    """
    from river.drift import ADWIN  # takes half a second to load

    detector, change, start = ADWIN(delta=ADWIN_DELTA), None, 0
    for position, value in enumerate(errors.tolist()):
        detector.update(value)
        if not detector.drift_detected:
            continue
        cut = position + 1 - int(detector.width)
        before, after = errors[start:cut].mean() if cut > start else 0, detector.estimation
        if after > before:
            change = Change(position + 1, float(before), float(after))
        start = cut
    return change


def measure_windows(
    logged: LoggedPredictions, metric: Metric, definition: Definition
) -> list[dict[str, Any]]:
    """Return a table of the metric over time: rows with true labels, a window a line."""
    count = min(MOST_WINDOWS, len(logged) // definition.improvement.minimum_rows)
    target, found = true_labels(logged, definition.problem.target_kind), []
    for rows in np.array_split(np.arange(len(target)), count) if count else []:
        predictions, seed = logged.predictions.iloc[rows], definition.search.seed
        measured = measure(target.iloc[rows], predictions, {"": metric}, seed, most=RESAMPLES)
        metadata = logged.metadata.iloc[rows]
        start, end = metadata["at"].iloc[[0, -1]].dt.strftime("%Y-%m-%dT%H:%M:%S")
        window = {"start": start, "end": end, "rows": len(rows)}
        window["version"] = metadata["version"].iloc[-1]
        found += [window | numbers for numbers in measured.values()]
    return found
