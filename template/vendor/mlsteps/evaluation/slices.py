"""The metric on parts of the test set: a good average can hide a bad corner."""

from typing import Any

import pandas as pd

from ..preparation.schema import Schema
from ..preparation.schema import GROUP
from ..problem.columns import column_of
from ..problem.definition import Definition
from ..problem.metric import Metric
from .bootstrap import measure

LEAST_ROWS = 30  # below, an interval says no more than that nothing is known
RESAMPLES = 200  # of each slice: there are many
MOST_VALUES, MOST_COLUMNS = 10, 8
QUARTERS = ["lowest quarter", "second quarter", "third quarter", "highest quarter"]


def measure_slices(
    rows: pd.DataFrame,
    predictions: pd.DataFrame,
    schema: Schema,
    metric: Metric,
    definition: Definition,
) -> list[dict[str, Any]]:
    """Return the metric for each value of the columns in [evaluation] slices.

    Numbers are cut at the quartiles of the test set. Without such columns, the categories with few
    values are taken. Slices with few rows, or where the metric is not defined, are left out.

    Returns
    -------
    list of dict
        ``column``, ``slice``, ``rows``, ``value``, ``low`` and ``high``.
    """
    name, seed = definition.problem.metric, definition.search.seed
    found = []
    for column in _columns(schema, definition):
        values = rows[column]
        if pd.api.types.is_numeric_dtype(values):
            values = pd.qcut(values.rank(method="first"), 4, labels=QUARTERS).astype("str")
        for label, part in rows.groupby(values.fillna("missing").astype("str")):
            if len(part) < LEAST_ROWS:
                continue
            target, given = column_of(part, schema.target), predictions.loc[part.index]
            group = part.get(GROUP)
            measured = measure(target, given, {name: metric}, seed, most=RESAMPLES, group=group)
            if name in measured:
                found.append(
                    {"column": column, "slice": label, "rows": len(part), **measured[name]}
                )
    return found


def _columns(schema: Schema, definition: Definition) -> list[str]:
    if definition.evaluation.slices:
        return definition.evaluation.slices
    few = [
        column.name
        for column in schema.features
        if column.kind == "category" and 2 <= len(column.categories) <= MOST_VALUES
    ]
    return few[:MOST_COLUMNS]
