"""Checks of names and values that rows and series share, and their result."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from ..errors import UserError
from .columns import ConversionError, Inference, convert


@dataclass(frozen=True)
class ValidationResult:
    """What is to be said of data that fits its definition, and the kind of each input.

    The first sentence is what is to be done, the second how it is tested; the others are notes.
    """

    sentences: list[str]
    kinds: dict[str, Inference]


def check_present(
    key: str, names: Iterable[str], present: list[str], *, needed: bool = True
) -> None:
    """Check that the data has the columns that a key of project.toml names.

    One that is not needed may come later; but not if its name looks misspelt.
    """
    for name in names:
        if name not in present:
            known = {column.lower(): column for column in present}
            close = difflib.get_close_matches(name.lower(), known, n=1)
            if not (needed or close):
                continue
            few = ", ".join(present[:10]) + (", …" if len(present) > 10 else "")
            hint = f'did you mean "{known[close[0]]}"?' if close else f"it has {few}."
            raise UserError(f'{key} names "{name}", a column that the data does not have; {hint}')


def convert_column(values: pd.Series, inferred: Inference, key: str) -> pd.Series:
    """Convert a column to its kind, which the key of project.toml or the values themselves say."""
    try:
        return convert(values, inferred.kind, inferred.written)
    except ConversionError as error:
        few = len(error.rows) < len(values) / 2
        remedy = (
            f'correct it, or add "{error.value}" to [data] missing if it stands for a missing value'
            if few
            else f"correct {key}"
        )
        raise UserError(f"{key}: {error}; {remedy}.") from None


def quoted(names: Iterable[str]) -> str:
    """Return names of columns as a sentence has them."""
    return ", ".join(f'"{name}"' for name in names)
