"""What tells about a target: the sections of the report that only problems with one have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..plots import bars, new_figure
from ..preparation.schema import Schema
from ..problem.settings import Kind
from ..report import columns, figure, heading, legend, paragraph
from .drawing import SHOWN_FEATURES, WEAK, left_out
from .ranking import groups

ORDER = "What tells most about the target comes first."
SHOWN_STRENGTHS = 20


@dataclass(frozen=True)
class Look:
    """How a type of problem looks at its target.

    Attributes
    ----------
    measure, against
        What the associations are, and what the plots against the target show, in words.
    """

    measure: str
    against: str
    colours: Callable[[pd.Series], Mapping[str, str]]
    plot_target: Callable[[pd.Series], tuple[Figure, str]]
    plot_against: Callable[[pd.Series, Kind, pd.Series], Figure]


def rank(
    rows: pd.DataFrame, schema: Schema, association: Callable[[np.ndarray, pd.Series], float]
) -> pd.Series:
    """Return the association of each feature with the target, 0 to 1, the strongest first."""
    target = rows[schema.target]
    strengths = {c.name: association(groups(rows[c.name], c.kind), target) for c in schema.features}
    return pd.Series(strengths, dtype=float).sort_values(ascending=False, kind="stable")


def strongest(strengths: pd.Series, schema: Schema) -> str:
    """Say which feature tells most about the target."""
    best = strengths.index[0]
    if strengths[best] >= WEAK:
        return f"{best} tells most about {schema.target}"
    return f"no feature alone tells much about {schema.target}"


def show_target(
    sample: pd.DataFrame, schema: Schema, strengths: pd.Series, look: Look
) -> list[str]:
    """Return the target, what tells about it, and the features that tell most against it."""
    target = sample[schema.target]
    plot, caption = look.plot_target(target)
    shown = strengths.head(SHOWN_STRENGTHS)
    ranking, axes = new_figure(height=0.5 + 0.2 * len(shown), grid="x")
    bars(axes, shown.index, shown.to_list(), [f"{strength:.2f}" for strength in shown])
    return [
        heading(f"What tells about {schema.target}"),
        columns(
            figure(plot, caption, f"The target, {schema.target}"),
            figure(
                ranking,
                f"{look.measure}; 0 is nothing, 1 everything."
                f"{left_out(len(shown), len(strengths))}",
                "Association of each feature alone",
            ),
        ),
        *_against(sample, schema, strengths, look),
    ]


def _against(sample: pd.DataFrame, schema: Schema, strengths: pd.Series, look: Look) -> list[str]:
    kinds = {column.name: column.kind for column in schema.features}
    target = sample[schema.target]
    shown = [name for name in strengths.index if sample[name].notna().any()][:SHOWN_FEATURES]
    plots = [
        figure(
            look.plot_against(sample[name], kinds[name], target),
            f"association {strengths[name]:.2f}",
            name,
        )
        for name in shown
    ]
    return [
        heading(f"Features against {schema.target}"),
        paragraph(f"{ORDER}{left_out(len(shown), len(strengths))} {look.against}"),
        legend(look.colours(target)),
        columns(*plots),
    ]
