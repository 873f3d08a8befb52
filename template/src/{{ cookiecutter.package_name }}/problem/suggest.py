"""Suggest a definition for new data: what kind of problem it is, and what its columns are."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from ..errors import UserError
from . import TYPE, suspicious
from .columns import Inference, infer, labels

FEW = 20  # whole numbers with so many different values can be classes as well as quantities
RARE = 0.1  # below this share of positives, ROC AUC flatters; PR AUC does not
MANY_MISSING = 0.5
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
    date, group
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
    kinds: dict[str, Inference]
    frame: pd.DataFrame = field(repr=False)

    def sentences(self) -> list[str]:
        """Say what was found, a sentence each."""
        suspects = {**self.id, **self.drop, **self.unknown_at_prediction}
        named = {"date of the rows": self.date, "group of rows": self.group}
        return [
            f"This is {self.problem['type'][0]}: {self.problem['type'][1]}.",
            *(f'"{name}" {reason}.' for name, reason in suspects.items()),
            *(f'"{name}" is the {what}: {why}.' for what, (name, why) in named.items() if name),
            *(f'"{text}" stands for missing: {why}.' for text, why in self.missing.items()),
        ]


def suggest(frame: pd.DataFrame, target: str) -> Suggestion:
    """Look at `frame` and suggest how `target` can be predicted from it.

    Raises
    ------
    UserError
        If the target is not there, or asks for the code of another problem type.
    """
    if target not in frame.columns:
        raise UserError(
            f'The data has no column "{target}"; it has {", ".join(frame.columns[:10])}'
            f"{', …' if frame.shape[1] > 10 else ''}."
        )
    missing, frame, stray_reasons = _without_strays(frame)
    different = frame[target].nunique()
    if different < 2:
        raise UserError(
            f'The target "{target}" has {different} different values; at least two are needed.'
        )
    reason = _type(frame[target], target)
    inputs = frame.drop(columns=target)
    drop = suspicious.constant(inputs)
    kinds = {name: _kind(inputs[name]) for name in inputs.columns.drop(list(drop))}
    ids = suspicious.id_like(inputs, kinds)
    group = next(iter(suspicious.group_like(inputs, kinds).items()), ("", ""))
    rest = [name for name in kinds if name not in ids and name != group[0]]
    drop |= suspicious.duplicate(inputs[rest])
    kinds = {name: kinds[name] for name in rest if name not in drop}
    known = labels(frame[target]) if TYPE == "classification" else frame[target]
    unknown = suspicious.too_good(inputs, known, kinds, classes=TYPE == "classification")
    kinds = {name: told for name, told in kinds.items() if name not in unknown}
    return Suggestion(
        problem={"target": (target, ""), "type": (TYPE, reason), **_bar(known)},
        missing=missing,
        id=ids,
        drop=drop,
        unknown_at_prediction=unknown,
        date=_date(inputs, kinds),
        group=group,
        kinds={n: _with_doubts(inputs[n], t, stray_reasons.get(n)) for n, t in kinds.items()},
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


def _type(values: pd.Series, target: str) -> str:
    """Return why this project's problem type fits the target; few whole numbers fit both types."""
    told = infer(values)
    if told.kind in {"date", "text"}:
        raise UserError(
            f'"{target}" {told.reason}, but a target is a label or a number; choose another '
            "column, or make one from it."
        )
    if told.kind == "number":
        numbers = pd.to_numeric(values.dropna())
        different = numbers.nunique()
        reason = f'"{target}" is a number with {different:,} different values'
        fitting = ["regression"]
        if different <= 2:
            fitting = ["classification"]
        elif different <= FEW and (numbers % 1 == 0).all():
            fitting = ["classification", "regression"]
            reason += ", few enough for classes"
    else:
        fitting = ["classification"]
        reason = f'"{target}" {told.reason}'
    if TYPE not in fitting:
        raise UserError(
            f"{reason}, so this is {fitting[0]}, but the project holds the code for {TYPE}; "
            f"run `copier update --data problem_type={fitting[0]}`, then this again (nothing was "
            "written)."
        )
    return reason


def _kind(values: pd.Series) -> Inference:
    told = infer(values)
    text = told.kind == "number" and pd.api.types.is_string_dtype(values)
    if text and values.str.match(r"\s*0\d").any():
        return Inference("category", "holds codes that begin with 0")
    return told


def _with_doubts(values: pd.Series, told: Inference, reason: str | None) -> Inference:
    missing = values.isna().mean()
    doubt = f", mostly missing ({missing:.1%})" if missing > MANY_MISSING else ""
    return replace(told, reason=(reason or told.reason) + doubt)


def _date(frame: pd.DataFrame, kinds: dict[str, Inference]) -> tuple[str, str]:
    """Return the column that says when a row happened, and why; "" if none does."""
    found = [
        name
        for name, told in kinds.items()
        if told.kind == "date"
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


def _bar(target: pd.Series) -> dict[str, tuple[Any, str]]:
    """Return the metric and the bar: what guessing reaches, since nobody said what is needed."""
    todo = "no better than guessing: set what is good enough for you"
    if TYPE == "regression":
        deviation = float(f"{pd.to_numeric(target).std(ddof=0):.3g}")
        return {"metric": ("rmse", ""), "baseline": ("mean", ""), "minimum": (deviation, todo)}
    shares = target.value_counts(normalize=True)
    if len(shares) != 2:
        positive, metric, minimum = ("", "more than two classes"), "roc_auc", 0.5
    else:
        other = (
            f'the rarer class ({shares.iloc[1]:.1%}); change it to "{shares.index[0]}" if need be'
        )
        positive, metric, minimum = (str(shares.index[1]), other), "roc_auc", 0.5
        if shares.iloc[1] < RARE:
            metric, minimum = "pr_auc", float(f"{shares.iloc[1]:.3g}")
    return {
        "positive": positive,
        "metric": (metric, "positives are rare" if metric == "pr_auc" else ""),
        "baseline": ("prior", ""),
        "minimum": (minimum, todo),
    }
