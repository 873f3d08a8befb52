"""What the models that see one series at a time have in common."""

import os
import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator

from ...preparation.panel import Panel
from .naive import repeat_season

MOST_PERIODS = 1500  # of a series; what is older says little about the future and costs time
CORES = os.cpu_count() or 1
MANY = 40  # series from which processes pay for their start
FAILED = np.array([np.nan])  # the parameters of a series that no model fits


class EachSeries(BaseEstimator):
    """A model for each series by itself.

    A subclass says how one series is fitted and continued. The first of its parameters is the form
    of the model; a series for which there is none is continued by its last season.

    Attributes
    ----------
    names_ : (series,)
        The series that were fitted.
    firsts_ : (series,)
        The ordinal of the first value that each was fitted to.
    parameters_ : (series, parameters)
        What was learnt of each; NaN beyond what its model has.
    """

    def __init__(self, season: int = 1) -> None:
        self.season = season

    def fit(self, panel: Panel, like: Self | None = None) -> Self:
        """Fit every series.

        Parameters
        ----------
        panel
            Series without gaps.
        like
            A forecaster that was fitted to fewer periods of these series: the forms that it chose
            stay, and only their numbers are fitted anew, which is several times as quick.

        Raises
        ------
        ValueError
            If no series can be fitted.
        """
        forms = like.learnt() if like is not None else {}
        firsts = _firsts(panel)
        given = []
        for k, (name, first) in enumerate(zip(panel.names, firsts, strict=True)):
            values, known = _one(panel, k, first)
            given.append((values, known[: len(values)], forms.get(name, (0, None))[1]))
        fitted = _map(self._fit_or_fail, given)
        width = max(map(len, fitted))
        padded = [np.pad(row, (0, width - len(row)), constant_values=np.nan) for row in fitted]
        self.names_ = np.array(panel.names, dtype=str)
        self.firsts_ = panel.start + firsts
        self.parameters_ = np.array(padded)
        if np.isnan(self.parameters_[:, 0]).all():
            raise ValueError("no series could be fitted")
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Return the forecasts, (series, horizon).

        A series that was not fitted, or begins later than it did, is fitted first.
        """
        learnt, firsts = self.learnt(), _firsts(panel)
        given = []
        for k, name in enumerate(panel.names):
            first, parameters = learnt.get(name, (-np.inf, None))
            known_from = first - panel.start
            if known_from < 0:
                known_from, parameters = firsts[k], None
            values, known = _one(panel, k, int(known_from))
            given.append((values, known[: len(values) + horizon], horizon, parameters))
        return np.array(_map(self._continue, given))

    def learnt(self) -> dict[str, tuple[int, np.ndarray]]:
        """Return the first ordinal and the parameters of each series by its name."""
        pairs = zip(self.firsts_.tolist(), self.parameters_, strict=True)
        return dict(zip(self.names_.tolist(), pairs, strict=True))

    def _fit_or_fail(
        self, values: np.ndarray, known: np.ndarray, form: np.ndarray | None
    ) -> np.ndarray:
        kept = form if form is not None and np.isfinite(form[0]) else None
        try:
            return self._fit(values, known, kept)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError, IndexError):
            return FAILED

    def _continue(
        self, values: np.ndarray, known: np.ndarray, horizon: int, parameters: np.ndarray | None
    ) -> np.ndarray:
        plain = repeat_season(values[None], self.season, horizon)[0]
        if parameters is None:
            parameters = self._fit_or_fail(values, known[: len(values)], None)
        if np.isnan(parameters[0]):
            return plain
        try:
            forecast = self._forecast(values, known, horizon, parameters)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return plain
        # What is unstable explodes: it leaves the range of the series by many times its width.
        room = 5 * (values.max() - values.min())
        eligible = np.isfinite(forecast) & (np.abs(forecast - plain) <= room)
        return np.where(eligible, forecast, plain)

    def _fit(self, values: np.ndarray, known: np.ndarray, form: np.ndarray | None) -> np.ndarray:
        raise NotImplementedError

    def _forecast(
        self, values: np.ndarray, known: np.ndarray, horizon: int, parameters: np.ndarray
    ) -> np.ndarray:
        raise NotImplementedError


def _firsts(panel: Panel) -> np.ndarray:
    """Return the column of the first value of each series that is looked at."""
    return panel.periods - np.minimum(panel.lengths(), MOST_PERIODS)


def _one(panel: Panel, k: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    return panel.history[k, first:], panel.known[k, first:]


def _map(function: Callable[..., np.ndarray], given: list[Any]) -> list[np.ndarray]:
    """Call `function` with each of `given`, in processes where there are many."""
    jobs = CORES if len(given) >= MANY else 1
    size = max(1, min(50, len(given) // (2 * jobs)))
    parts = [given[start : start + size] for start in range(0, len(given), size)]
    done = Parallel(n_jobs=jobs)(delayed(_quietly)(function, part) for part in parts)
    return [one for part in done for one in part]


def _quietly(function: Callable[..., np.ndarray], given: list[Any]) -> list[np.ndarray]:
    """Call without the warnings of fits that do not converge: the backtest judges them."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return [function(*one) for one in given]
