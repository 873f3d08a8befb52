"""How a trial is judged where there is a target: by cross-validation."""

from collections.abc import Iterable

import pandas as pd

from ..problem import METRICS, arrays
from ..problem.definition import Definition
from .encoded import Answer, Fitted
from .trial import Trial


def judge(trial: Trial, fitted: Iterable[Fitted], answer: Answer, definition: Definition) -> None:
    """Give a trial its score on the rows that each fold leaves out, and its answers to them."""
    metric = METRICS[definition.problem.metric]
    answers = []
    for estimator, fold in fitted:
        # The numbers have no name here: one would keep them while the next fold is encoded.
        answers.append(answer(estimator, *fold.outside))
        target = fold.outside[1]
        trial.scores.append(metric.function(*arrays(target, answers[-1])))
    trial.answers = pd.concat(answers)
