"""Suggest a definition for new data: what kind of problem it is, and what its columns are."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from ..errors import UserError
from ..variants import of_type
from . import suspicious
from .columns import Inference, column_of, infer, labels
from .fitting import LEAST_PERIODS, check_type, find_series

MANY_MISSING = 0.5
MOST_AHEAD = 6  # periods that are forecast, until somebody says how many are needed
DATES = 10  # an event date takes at least so many values
BIRTH = re.compile(r"birth|born|dob", re.IGNORECASE)


@dataclass(frozen=True)
class Suggestion:
    """What project.toml should say of some data. Reasons are the ends of comments.

    Attributes
    ----------
    problem
        Keys of ``[problem]``: value and reason.
    missing
        Texts that stand for a missing value, and why.
    id, drop, unknown_at_prediction
        Columns, and why.
    date, group, series
        A column or "", and why.
    kinds
        The kind of each input, with its reason.
    frame
        The data, with `missing` made missing.
    """

    problem: dict[str, tuple[Any, str]]
    missing: dict[str, str]
    id: dict[str, str]
    drop: dict[str, str]
    unknown_at_prediction: dict[str, str]
    date: tuple[str, str]
    group: tuple[str, str]
    series: tuple[str, str]
    kinds: dict[str, Inference]
    frame: pd.DataFrame = field(repr=False)

    def sentences(self) -> list[str]:
        """Say what was found, a sentence each."""
        suspects = {**self.id, **self.drop, **self.unknown_at_prediction}
        named = {"date of the rows": self.date, "group of rows": self.group}
        named["column that tells the series apart"] = self.series
        return [
            f"This is {self.problem['type'][0]}: {self.problem['type'][1]}.",
            *(f'"{name}" {reason}.' for name, reason in suspects.items()),
            *(f'"{name}" is the {what}: {why}.' for what, (name, why) in named.items() if name),
            *(f'"{text}" stands for missing: {why}.' for text, why in self.missing.items()),
        ]


def suggest(frame: pd.DataFrame, target: str, own: str) -> Suggestion:
    """Look at `frame` and suggest what can be learnt from it."""
    if target and target not in frame.columns:
        raise UserError(
            f'The data has no column "{target}"; it has {", ".join(frame.columns[:10])}'
            f"{', …' if frame.shape[1] > 10 else ''}."
        )
    missing, frame, stray_reasons = _without_strays(frame)
    reason = check_type(frame, target, own)
    inputs = frame.drop(columns=target) if target else frame
    drop = suspicious.constant(inputs)
    if own == "forecasting":
        return _of_series(frame, target, reason, drop, missing)
    kinds = {name: _kind(inputs[name]) for name in inputs.columns.drop(list(drop))}
    ids = suspicious.id_like(inputs, kinds)
    group = next(iter(suspicious.group_like(inputs, kinds).items()), ("", ""))
    rest = [name for name in kinds if name not in ids and name != group[0]]
    drop |= suspicious.duplicate(inputs[rest])
    kinds = {name: kinds[name] for name in rest if name not in drop}
    known = column_of(frame, target)
    unknown = {}
    if of_type("problem", own).Problem.needs_target:
        known = labels(known) if own == "classification" else known
        unknown = suspicious.too_good(inputs, known, kinds, classes=own == "classification")
    kinds = {name: inferred for name, inferred in kinds.items() if name not in unknown}
    return Suggestion(
        problem={
            "target": (target, ""),
            "type": (own, reason),
            **of_type("problem", own).suggest_problem(len(frame), known),
        },
        missing=missing,
        id=ids,
        drop=drop,
        unknown_at_prediction=unknown,
        date=_date(inputs, kinds),
        group=group,
        series=("", ""),
        kinds={n: _with_doubts(inputs[n], t, stray_reasons.get(n)) for n, t in kinds.items()},
        frame=frame,
    )


def _of_series(
    frame: pd.DataFrame, target: str, reason: str, drop: dict[str, str], missing: dict[str, str]
) -> Suggestion:
    """Suggest how a table of series is forecast; what else it holds is not known ahead of time."""
    regular = find_series(frame.drop(columns=target))
    if regular is None:  # `check_type` has refused this
        raise UserError("The data has no column with regular dates.")
    taken = [target, regular.date, regular.by, *drop]
    others = [name for name in frame.columns if name not in taken]
    ahead = max(1, min(MOST_AHEAD, regular.periods // LEAST_PERIODS))
    return Suggestion(
        problem={
            "target": (target, ""),
            "type": ("forecasting", reason),
            "horizon": (ahead, "how far ahead you need is yours to say"),
            **of_type("problem", "forecasting").suggest_problem(len(frame), frame[target]),
        },
        missing=missing,
        id={},
        drop=drop,
        unknown_at_prediction=dict.fromkeys(others, "is left out, unless you know it ahead"),
        date=(regular.date, "its dates are regular"),
        group=("", ""),
        series=(regular.by, "with it each date stands there once" if regular.by else ""),
        kinds={},
        frame=frame,
    )


def _without_strays(frame: pd.DataFrame) -> tuple[dict[str, str], pd.DataFrame, dict[str, str]]:
    """Find the texts that stand for missing numbers, and turn their columns into numbers.

    A text with a digit, like "10+", says something, and so does one that another column uses as
    a label: such a column stays a category.
    """
    strays = suspicious.mixed(frame)
    others = [n for n in frame if pd.api.types.is_string_dtype(frame[n]) and n not in strays]
    missing: dict[str, str] = {}
    numbers, reasons = {}, {}
    for name, texts in strays.items():
        rows = f"{frame[name].isin(texts).sum():,} rows"
        listed = ", ".join(f'"{text}"' for text in texts)
        telling = [text for text in texts if re.search(r"\d", text)]
        labels_of = [other for other in others if frame[other].isin(texts).any()]
        if telling:
            reasons[name] = (
                f"holds numbers, and {listed} in {rows}: write numbers there to make it one"
            )
        elif labels_of:
            reasons[name] = f'holds numbers, and {listed}, a label of "{labels_of[0]}" as well'
        else:
            missing |= dict.fromkeys(texts, f'stands among the numbers of "{name}" in {rows}')
            numbers[name] = pd.to_numeric(frame[name].mask(frame[name].isin(texts)))
    return missing, frame.assign(**numbers), reasons


def _kind(values: pd.Series) -> Inference:
    inferred = infer(values)
    text = inferred.kind == "number" and pd.api.types.is_string_dtype(values)
    if text and values.str.match(r"\s*0\d").any():
        return Inference("category", "holds codes that begin with 0")
    return inferred


def _with_doubts(values: pd.Series, inferred: Inference, reason: str | None) -> Inference:
    missing = values.isna().mean()
    doubt = f", mostly missing ({missing:.1%})" if missing > MANY_MISSING else ""
    return replace(inferred, reason=(reason or inferred.reason) + doubt)


def _date(frame: pd.DataFrame, kinds: dict[str, Inference]) -> tuple[str, str]:
    """Return the column that says when a row happened, and why; "" if none does."""
    found = [
        name
        for name, inferred in kinds.items()
        if inferred.kind == "date"
        and not BIRTH.search(name)
        and frame[name].notna().all()
        and frame[name].nunique() >= DATES
    ]
    if not found:
        return "", ""
    if len(found) == 1:
        return found[0], "the only date that every row has"
    others = ", ".join(f'"{name}"' for name in found[1:])
    return found[0], f"the first date that every row has; there is {others} as well"
