"""Check series against the definition: whether they are regular, and long enough."""

import pandas as pd

from ..errors import UserError
from . import forecasting
from .columns import Inference, infer
from .definition import Definition
from .series import Arranged, arrange
from .values import Looked, fitting


def look(definition: Definition, frame: pd.DataFrame) -> Looked:
    """Check what the definition says of series.

    Raises
    ------
    UserError
        If the target cannot be forecast, values do not fit, dates are irregular, or the series are
        too short.
    """
    problem = definition.problem
    target = forecasting.check_target(frame[problem.target], problem, definition.search.folds)
    kinds = known_kinds(definition, frame)
    arranged = arrange(frame, definition)
    task = _task(definition, arranged, target, list(kinds))
    test = _test(definition, arranged)
    return Looked(task, [test], _notes(definition, arranged), kinds)


def known_kinds(definition: Definition, frame: pd.DataFrame) -> dict[str, Inference]:
    """Return the kind of each column that is known ahead of time: a number or a category.

    Raises
    ------
    UserError
        If one is neither.
    """
    columns = definition.columns
    away = [*definition.not_inputs(), columns.date, *columns.series_names()]
    kinds = {}
    for name in frame.columns.difference(away, sort=False):
        told = infer(frame[name])
        if name in columns.kinds:
            told = Inference(columns.kinds[name], "is set in [columns.kinds]", told.date_format)
        if told.kind not in ("number", "category"):
            raise UserError(
                f'"{name}" {told.reason}, but what is known ahead of time has to be a number or a '
                "category; name it in [columns] drop or unknown_at_prediction, or set its kind "
                "in [columns.kinds]."
            )
        fitting(frame[name], told, "[columns.kinds]")
        kinds[name] = told
    return kinds


def _task(definition: Definition, arranged: Arranged, target: str, known: list[str]) -> str:
    problem, names = definition.problem, definition.columns.series_names()
    lengths = arranged.lengths(problem.target)
    of = f" of {len(lengths):,} series by {_listed(names)}" if names else ""
    longest, shortest = lengths.max(), lengths.min()
    history = f"{longest:,}" if longest == shortest else f"{shortest:,} to {longest:,}"
    with_known = f", and from {_listed(known)}, known ahead of time" if known else ""
    return (
        f'Forecast "{problem.target}"{of}, {target}, {problem.horizon} periods ahead from '
        f"{history} {arranged.calendar.words()} values{with_known}."
    )


def _test(definition: Definition, arranged: Arranged) -> str:
    horizon, tests = definition.problem.horizon, definition.split.test_horizons
    history = arranged.rows[arranged.rows[definition.problem.target].notna()]
    dates = history[definition.columns.date]
    periods = horizon * tests
    season = (
        f"A season has {arranged.season} periods"
        if arranged.season > 1
        else "There is no season, so the seasonal naive forecast is the last value"
    )
    return (
        f"{season}; dates go from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}, and the last "
        f"{periods} periods are kept for the test."
    )


def _notes(definition: Definition, arranged: Arranged) -> list[str]:
    settings = definition.preparation
    unknown = _listed(definition.columns.unknown_at_prediction)
    dropped = arranged.dropped
    notes = {
        f"{arranged.repeated:,} rows repeat another one; they are left out.": arranged.repeated,
        f"{arranged.joined:,} rows share their date with another of their series; of these the "
        f"{settings.duplicates} is taken.": arranged.joined,
        f"{arranged.gaps:,} dates inside of the series have no value; {_filled(settings.gaps)}.": (
            arranged.gaps
        ),
        f"{len(dropped):,} series are too short, so left out, like {_listed(dropped[:3])}.": (
            dropped
        ),
        f"Not known ahead of time, so not used: {unknown}.": unknown,
    }
    return [note for note, worth in notes.items() if worth]


def _filled(gaps: str) -> str:
    return {
        "interpolate": "the line between their neighbours fills them",
        "previous": "the value before fills them",
        "zero": "they count as 0",
    }.get(gaps, "")


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
