"""Step 4: exploring the training rows, and them only.

`standard_sections` calls `row_sections` or `series_sections`. These are lists of calls of the other
functions, so a project can make a list of its own.
"""

from .explore import explore, standard_sections
from .measures import describe_columns, rank_features
from .rows import (
    row_sections,
    show_against_target,
    show_correlations,
    show_distributions,
    show_missing,
    show_notices,
    show_overview,
    show_structure,
    show_table,
    show_target,
)
from .series import series_sections, show_history, show_known, show_season

__all__ = [
    "describe_columns",
    "explore",
    "rank_features",
    "row_sections",
    "series_sections",
    "show_against_target",
    "show_correlations",
    "show_distributions",
    "show_history",
    "show_known",
    "show_missing",
    "show_notices",
    "show_overview",
    "show_season",
    "show_structure",
    "show_table",
    "show_target",
    "standard_sections",
]
