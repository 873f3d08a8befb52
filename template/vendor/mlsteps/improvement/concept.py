"""Has the relation of inputs and truth changed? Errors over time, and the metric on windows."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from ..deployment.prediction_log import LoggedPredictions
from ..evaluation.bootstrap import measure
from ..problem.columns import convert
from ..problem.metric import Metric
from ..problem.project import Project
from ..problem.settings import Kind

ADWIN_DELTA = 0.002  # of Bifet and Gavaldà (2007): the chance of a false alarm at one cut
MOST_WINDOWS = 20
RESAMPLES = 200  # for the interval of a window, which is drawn and decides nothing

Quality = dict[str, float]  # a metric's value, low and high: the ends of its 95 % interval


@dataclass(frozen=True)
class Change:
    """Where the errors rose.

    Attributes
    ----------
    rows
        After how many rows with truth it was seen.
    before, after
        The mean error of a row, between 0 and 1, before and since.
    """

    rows: int
    before: float
    after: float


@dataclass(frozen=True)
class Window:
    """The metric on a stretch of predictions whose truth is known, with its 95 % interval."""

    start: str
    end: str
    rows: int
    version: str
    value: float
    low: float
    high: float


def true_labels(logged: LoggedPredictions, kind: Kind) -> pd.Series:
    """Return what the predictions turned out to be, as the target has it."""
    return convert(logged.metadata["actual"], kind)


def quality(
    logged: LoggedPredictions, predictions: pd.DataFrame, metric: Metric, project: Project
) -> Quality | None:
    """Return the metric of the definition of answers to rows with truth; None if undefined."""
    problem, seed = project.definition.problem, project.definition.search.seed
    truth = true_labels(logged, problem.target_kind)
    return measure(truth, predictions, {problem.metric: metric}, seed).get(problem.metric)


def errors(logged: LoggedPredictions, kind: Kind) -> np.ndarray:
    """Return the error of each row between 0 and 1.

    For a class what is missing of the probability of the true one, or 0 and 1 where there are no
    probabilities; for a number the rank of its absolute error among the rows.
    """
    truth, predictions = true_labels(logged, kind), logged.predictions
    if kind == "number":
        ranks: np.ndarray = (truth - predictions["prediction"]).abs().rank(pct=True).to_numpy(float)
        return ranks
    wrong = (convert(predictions["prediction"], kind) != truth).to_numpy(float)
    for label in truth.unique():
        chance = predictions.get(f"probability_{label}")
        if chance is not None:
            rows = (truth == label).to_numpy()
            wrong[rows] = 1 - chance.to_numpy(float)[rows]
    return wrong


def find_change(values: np.ndarray) -> Change | None:
    """Return the last rise of the errors, found by ADWIN, or None.

    The detector keeps a window of the newest errors, and cuts off its older part when the means
    of the two parts differ by more than chance allows.
    """
    from river.drift import ADWIN  # takes half a second to load

    detector, change, start = ADWIN(delta=ADWIN_DELTA), None, 0
    for position, value in enumerate(values.tolist()):
        detector.update(value)
        if not detector.drift_detected:
            continue
        cut = position + 1 - int(detector.width)
        before, after = values[start:cut].mean() if cut > start else 0, detector.estimation
        if after > before:
            change = Change(position + 1, float(before), float(after))
        start = cut
    return change


def windows(
    logged: LoggedPredictions, metric: Metric, kind: Kind, least: int, seed: int
) -> list[Window]:
    """Cut rows with truth into stretches of at least so many, and measure each."""
    count = min(MOST_WINDOWS, len(logged.metadata) // least)
    truth, found = true_labels(logged, kind), []
    for rows in np.array_split(np.arange(len(truth)), max(count, 1)) if count else []:
        measured = measure(
            truth.iloc[rows], logged.predictions.iloc[rows], {"": metric}, seed, most=RESAMPLES
        )
        if "" in measured:
            facts = logged.metadata.iloc[rows]
            start, end = _moment(facts["at"].iloc[0]), _moment(facts["at"].iloc[-1])
            version = facts["version"].iloc[-1]
            found.append(Window(start, end, len(rows), version, **measured[""]))
    return found


def _moment(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
