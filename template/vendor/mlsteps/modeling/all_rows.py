"""One more candidate learns from all rows: the mean of models, each fitted to a part of them.

That is pasting (Breiman, "Pasting small votes for classification in large databases and on-line",
1999). Each part fits into memory and is a task of its own, and none of them holds a row of the
sample. So the models of the parts are fitted once, and are held against every fold.
"""

import platform
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from tqdm import tqdm

from ..errors import UserError, first_line, raised_by_project
from ..preparation.rest import FOLDER
from ..preparation.schema import KEY, Schema
from ..preparation.split import Fold
from ..problem.definition import Definition
from ..problem.eligible import DATE
from ..problem.metric import Metric
from ..problem.sample import ALL_ROWS
from ..report import counted
from ..variants import of_type
from .cross_validation import encoder_of, set_jobs
from .encoding import EncodedFold, TrainingRows
from .ensemble import Ensemble
from .parallel import on_workers, stopwatch
from .search import (
    BuildEncoder,
    Candidate,
    Candidates,
    SearchResult,
    Trial,
    build_estimator,
    caught_warnings,
    rank,
)


@dataclass(frozen=True)
class PartFit:
    """A model of one part of the rows outside of the sample."""

    part: int
    estimator: BaseEstimator
    keys: np.ndarray  # (uint64) of its rows
    seconds: float


@dataclass(frozen=True)
class PartFits:
    """Models of all parts, and the encoder that they share, which the first part has fitted."""

    encoder: BaseEstimator
    numbers: int  # that a row has when it is encoded
    fits: list[PartFit]

    def weights(self, rows: int) -> np.ndarray:
        """Return the weight of a model of so many rows, and of each of these: by their rows."""
        sizes = np.array([rows, *(len(fit.keys) for fit in self.fits)])
        return sizes / sizes.sum()

    @property
    def seconds(self) -> float:
        """How long the fits have taken together."""
        return sum(fit.seconds for fit in self.fits)


@dataclass(frozen=True)
class AllRows:
    """The models of the parts, and the trial whose candidate and settings they are of."""

    base: Trial
    parts: PartFits

    @property
    def keys(self) -> np.ndarray:
        """The keys (uint64) of the rows of all parts."""
        return np.concatenate([fit.keys for fit in self.parts.fits])

    def said(self) -> str:
        """Say what the candidate is."""
        parts = counted(len(self.parts.fits), "part")
        return (
            f"{ALL_ROWS} is the mean of {self.base.candidate} fitted to the sample and to {parts} "
            f"of the {counted(len(self.keys), 'other row')}"
        )

    def join(self, pipeline: Pipeline, rows: int, numbers: int) -> Pipeline:
        """Return the mean of the parts' models and of that of the sample.

        It was fitted to so many rows, of so many numbers each.
        """
        theirs = [numbers, numbers + self.parts.numbers]
        model = Ensemble(
            [pipeline[-1], *(fit.estimator for fit in self.parts.fits)],
            self.parts.weights(rows).tolist(),
            [[0, numbers], *[theirs] * len(self.parts.fits)],
        )
        encoder = FeatureUnion([("sample", pipeline[0]), ("rest", self.parts.encoder)])
        return Pipeline([("encoder", encoder), ("estimator", model)])


def with_all_rows(
    result: SearchResult,
    rows: TrainingRows,
    folds: list[Fold],
    candidates: Candidates,
    metric: Metric,
    prepared: Path,
) -> tuple[SearchResult, AllRows | None]:
    """Score the candidate of all rows, if some were prepared outside of the sample.

    The rows of each fold are predicted by the base's fit to the other folds, and by the models of
    the parts, which have seen no row of the sample; by date none that is newer than what the base
    was fitted to.
    """
    paths = sorted((prepared / FOLDER).glob("*.parquet"))
    if not paths:
        return result, None
    base = next(trial for trial in result.leaderboard if not trial.members)
    fitter = _PartFitter(
        rows.definition,
        rows.schema,
        candidates[base.candidate],
        encoder_of(base.candidate, candidates),
        base.settings,
        rows.target.unique().tolist() if rows.definition.problem.target_kind == "category" else [],
    )
    ends = [_newest(rows, fit) for fit, _ in folds] + [_newest(rows, np.arange(len(rows)))]
    try:
        fits = {end: fitter.fit_all(paths, end) for end in dict.fromkeys(ends)}
    except (ValueError, TypeError) as error:
        if raised_by_project(error):
            raise
        why = first_line(error)
        return replace(result, left_out=result.left_out | {ALL_ROWS: why}), None
    trial = Trial(ALL_ROWS, base.settings)
    _score(trial, base.predictions, rows, folds, [fits[end] for end in ends[:-1]], metric)
    ranked = rank([*result.trials, trial], metric)
    return replace(result, trials=ranked), AllRows(base, fits[ends[-1]])


def _score(
    trial: Trial,
    alone: pd.DataFrame,
    rows: TrainingRows,
    folds: list[Fold],
    parts: list[PartFits],
    metric: Metric,
) -> None:
    """Give the trial what the base has predicted `alone`, joined with the models of each fold."""
    problem = of_type("modeling", rows.definition.problem.type)
    decision = problem.default_decision(rows.target.loc[alone.index], rows.definition)
    predictions, end = [], 0
    for (fit, held_out), models in zip(folds, parts, strict=True):
        known = rows.target.iloc[held_out]
        numbers = rows.encode(models.encoder, held_out)
        frames = [alone.iloc[end : end + len(known)]]
        for model in models.fits:
            columns = problem.predict(model.estimator, numbers, decision)
            frames.append(pd.DataFrame(columns, index=known.index))
        each = np.stack([problem.as_numbers(known, frame)[1] for frame in frames])
        mean = np.tensordot(models.weights(len(fit)), each, axes=1)
        predictions.append(pd.DataFrame(problem.decide(mean, decision), index=known.index))
        trial.scores.append(metric(known, predictions[-1]))
        trial.fit_seconds.append(models.seconds)
        end += len(known)
    trial.predictions = pd.concat(predictions)


def _newest(rows: TrainingRows, positions: np.ndarray) -> Any:
    """Return the newest date that may be learnt from beside some rows; None for any."""
    by_date = rows.definition.split_by() == "date"
    return rows.metadata[DATE].iloc[positions].max() if by_date else None


@dataclass(frozen=True)
class _PartFitter:
    """What is fitted to each part, here or on a worker."""

    definition: Definition
    schema: Schema
    candidate: Candidate
    build_encoder: BuildEncoder
    settings: dict[str, Any]
    labels: list[str]  # of the target in the sample, if it has labels

    def fit_all(self, paths: list[Path], end: Any) -> PartFits:
        """Fit the candidate to the rows of each part, up to a date."""
        first, encoder, numbers = self.fit_first(paths[0], end)

        def fit(part: int, path: Path) -> PartFit:
            rows, positions = self.open(path, end)
            target = rows.target.iloc[positions].to_numpy()
            return self.fit(part, rows, positions, rows.encode(encoder, positions), target)

        others = on_workers(fit, ((k, path) for k, path in enumerate(paths) if k))
        bar = {"desc": "parts", "total": len(paths), "disable": None, "leave": False}
        fits = sorted(tqdm(chain([first], others), **bar), key=attrgetter("part"))
        return PartFits(encoder, numbers, fits)

    def fit_first(self, path: Path, end: Any) -> tuple[PartFit, BaseEstimator, int]:
        """Fit the encoder of all parts as well; return how many numbers it makes of a row."""
        rows, positions = self.open(path, end)
        fold = EncodedFold(rows, self.build_encoder, positions, positions[:0])
        numbers, target = fold.training
        return self.fit(0, rows, positions, numbers, target), fold.encoder, numbers.shape[1]

    def open(self, path: Path, end: Any) -> tuple[TrainingRows, np.ndarray]:
        """Return the rows of a part, and the positions of those that may be learnt from."""
        if not path.is_file():
            raise UserError(
                f"There is no {path} on {platform.node()}; with [split] all_rows, the folder of "
                "this project has to be shared by all workers, under the same path."
            )
        rows = TrainingRows(path, self.schema, self.definition)
        wanted = np.ones(len(rows), bool)
        if end is not None:
            wanted &= (rows.metadata[DATE] <= end).to_numpy()
        if self.labels:
            wanted &= rows.target.isin(self.labels).to_numpy()  # others the sample does not have
        target = rows.target[wanted]
        for label in self.labels:
            if not (target == label).any():
                raise ValueError(f'a part of the rows outside of the sample has none of "{label}"')
        if target.empty:
            raise ValueError("a part of the rows outside of the sample has none to learn from")
        return rows, np.flatnonzero(wanted)

    def fit(
        self,
        part: int,
        rows: TrainingRows,
        positions: np.ndarray,
        numbers: np.ndarray,
        target: np.ndarray,
    ) -> PartFit:
        """Fit the candidate to the encoded rows at some positions."""
        estimator = build_estimator(self.candidate, self.settings, self.definition)
        seconds = stopwatch()
        with caught_warnings():  # the fit to the sample says them
            estimator.fit(numbers, target)
        set_jobs(estimator, 1)
        keys = rows.metadata[KEY].iloc[positions].to_numpy("uint64")
        return PartFit(part, estimator, keys, seconds())
