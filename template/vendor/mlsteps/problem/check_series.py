"""Check series against the definition: whether they are regular, and long enough."""

from collections.abc import Iterable

import pandas as pd

from ..errors import UserError
from .columns import Inference, infer
from .definition import Definition
from .regression import check_target
from .series import align
from .validation import ValidationResult, convert_column


def validate_series(definition: Definition, frame: pd.DataFrame) -> ValidationResult:
    """Check what the definition says of series."""
    problem, settings = definition.problem, definition.preparation
    names = definition.columns.series_names()
    target = check_target(frame[problem.target], problem, folds=0)
    kinds = known_kinds(definition, frame)
    aligned = align(frame, definition)
    lengths, dates = aligned.lengths(), aligned.history[definition.columns.date]
    of = f" of {len(lengths):,} series by {_quoted(names)}" if names else ""
    longest, shortest = lengths.max(), lengths.min()
    periods = f"{longest:,}" if longest == shortest else f"{shortest:,} to {longest:,}"
    known = f", and from {_quoted(kinds)}, known ahead of time" if kinds else ""
    task = (
        f'Forecast "{problem.target}"{of}, {target}, {problem.horizon} periods ahead from '
        f"{periods} {aligned.calendar.words()} values{known}."
    )
    season = "There is no season, so the seasonal naive forecast is the last value"
    if aligned.season > 1:
        season = f"A season has {aligned.season} periods"
    test = (
        f"{season}; dates go from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}, and the last "
        f"{problem.horizon * definition.split.test_horizons} periods are kept for the test."
    )
    unknown, dropped = definition.columns.unknown_at_prediction, aligned.dropped
    notes = {
        f"{aligned.repeated:,} rows repeat another one; they are left out.": aligned.repeated,
        f"{aligned.joined:,} rows share their date with another of their series; of these the "
        f"{settings.duplicates} is taken.": aligned.joined,
        f"{aligned.gaps:,} dates inside of the series have no value; [preparation] gaps = "
        f'"{settings.gaps}" fills them.': aligned.gaps,
        f"{len(dropped):,} series are too short, so left out, like {_quoted(dropped[:3])}.": (
            dropped
        ),
        f"Not known ahead of time, so not used: {_quoted(unknown)}.": unknown,
    }
    return ValidationResult([task, test, *(n for n, worth in notes.items() if worth)], kinds)


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


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
