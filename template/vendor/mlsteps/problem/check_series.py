"""Check series against the definition: whether they are regular, and long enough."""

import pandas as pd

from ..errors import UserError
from . import forecasting
from .columns import Inference, infer
from .definition import Definition
from .series import AlignedSeries, align
from .validation import ValidationResult, convert_column

FILLED = {
    "interpolate": "the line between their neighbours fills them",
    "previous": "the value before fills them",
    "zero": "they count as 0",
}


def validate_series(definition: Definition, frame: pd.DataFrame) -> ValidationResult:
    """Check what the definition says of series."""
    problem = definition.problem
    target = forecasting.check_target(frame[problem.target], problem, definition.search.folds)
    kinds = known_kinds(definition, frame)
    aligned = align(frame, definition)
    task = _task(definition, aligned, target, list(kinds))
    sentences = [task, _test(definition, aligned), *_notes(definition, aligned)]
    return ValidationResult(sentences, kinds)


def known_kinds(definition: Definition, frame: pd.DataFrame) -> dict[str, Inference]:
    """Return the kind of each column that is known ahead of time: a number or a category."""
    columns = definition.columns
    others = [*definition.not_inputs(), columns.date, *columns.series_names()]
    kinds = {}
    for name in frame.columns.difference(others, sort=False):
        kind = infer(frame[name])
        if name in columns.kinds:
            kind = Inference(columns.kinds[name], "is set in [columns.kinds]", kind.date_format)
        if kind.kind not in ("number", "category"):
            raise UserError(
                f'"{name}" {kind.reason}, but what is known ahead of time has to be a number or a '
                "category; name it in [columns] drop or unknown_at_prediction, or set its kind "
                "in [columns.kinds]."
            )
        convert_column(frame[name], kind, "[columns.kinds]")
        kinds[name] = kind
    return kinds


def _task(definition: Definition, aligned: AlignedSeries, target: str, known: list[str]) -> str:
    problem, names = definition.problem, definition.columns.series_names()
    lengths = aligned.lengths()
    of = f" of {len(lengths):,} series by {_listed(names)}" if names else ""
    longest, shortest = lengths.max(), lengths.min()
    history = f"{longest:,}" if longest == shortest else f"{shortest:,} to {longest:,}"
    with_known = f", and from {_listed(known)}, known ahead of time" if known else ""
    return (
        f'Forecast "{problem.target}"{of}, {target}, {problem.horizon} periods ahead from '
        f"{history} {aligned.calendar.words()} values{with_known}."
    )


def _test(definition: Definition, aligned: AlignedSeries) -> str:
    periods = definition.problem.horizon * definition.split.test_horizons
    dates = aligned.history[definition.columns.date]
    season = "There is no season, so the seasonal naive forecast is the last value"
    if aligned.season > 1:
        season = f"A season has {aligned.season} periods"
    return (
        f"{season}; dates go from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}, and the last "
        f"{periods} periods are kept for the test."
    )


def _notes(definition: Definition, aligned: AlignedSeries) -> list[str]:
    settings, dropped = definition.preparation, aligned.dropped
    unknown = _listed(definition.columns.unknown_at_prediction)
    notes = {
        f"{aligned.repeated:,} rows repeat another one; they are left out.": aligned.repeated,
        f"{aligned.joined:,} rows share their date with another of their series; of these the "
        f"{settings.duplicates} is taken.": aligned.joined,
        f"{aligned.gaps:,} dates inside of the series have no value; "
        f"{FILLED.get(settings.gaps)}.": aligned.gaps,
        f"{len(dropped):,} series are too short, so left out, like {_listed(dropped[:3])}.": (
            dropped
        ),
        f"Not known ahead of time, so not used: {unknown}.": unknown,
    }
    return [note for note, worth in notes.items() if worth]


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
