"""Add the rows whose true labels came back after deployment to those that were collected."""

from collections.abc import Sequence

import pandas as pd

from ..problem.columns import ConversionError, convert, infer, labels
from ..problem.keys import row_keys


def join(
    collected: pd.DataFrame,
    labelled: pd.DataFrame,
    own: Sequence[str],
    identity: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the collected rows, then the labelled ones, written the same way."""
    labelled = labelled.filter(collected.columns)
    alike = labelled.assign(**{name: _like(labelled[name], collected[name]) for name in labelled})
    compared = alike.columns.difference(own)
    if identity and set(identity) <= set(alike.columns):
        compared = pd.Index(identity)
        alike = alike[~row_keys(alike[compared]).duplicated(keep="last")]
    new = ~row_keys(alike[compared]).isin(row_keys(collected[compared]))
    rows = pd.concat([collected, alike[new]], ignore_index=True)
    mixed = [name for name in rows if rows[name].dtype == object]
    return rows.assign(**{name: labels(rows[name]) for name in mixed})


def _like(values: pd.Series, pattern: pd.Series) -> pd.Series:
    """Write `values` as `pattern` is written, so that the column keeps its type and its format."""
    inferred = infer(pattern)
    try:
        alike = convert(values, inferred.kind, inferred.date_format)
    except ConversionError:  # `prepare` will say what is wrong, with all rows in sight
        return values
    if inferred.kind != "date":
        return alike
    if pd.api.types.is_datetime64_any_dtype(pattern):
        return alike.dt.tz_localize(pattern.dt.tz)
    return alike.dt.strftime(inferred.date_format) if inferred.date_format else values
