"""Add the rows whose true labels came back after deployment to those that were collected."""

from collections.abc import Sequence

import pandas as pd

from ..problem import numbers
from ..problem.columns import ConversionError, convert, infer, labels
from ..problem.dates import parse, write
from ..problem.keys import numbered, row_keys


def join(
    collected: pd.DataFrame,
    labelled: pd.DataFrame,
    own: Sequence[str],
    identity: Sequence[str] = (),
    stated: dict[str, str] | None = None,
    *,
    keep: bool = False,
) -> pd.DataFrame:
    """Return the collected rows, then the labelled ones, written the same way.

    The first column of an `identity` is a date. Formats of dates may be `stated`. Without an
    identity, of equal rows there are as many as were collected or came back, or with `keep` all.
    """
    labelled = labelled.filter(collected.columns)
    written = {name: kind for name, kind in (stated or {}).items() if "%" in kind}
    alike = labelled.assign(
        **{n: _like(labelled[n], collected[n], written.get(n, "")) for n in labelled}
    )
    compared = alike.columns.difference(own)
    frames = [collected[compared], alike[compared]]
    if identity and set(identity) <= set(alike.columns):
        date, *others = identity
        inferred = infer(collected[date], written.get(date, "date"))
        frames = [
            f[others].assign(**{date: parse(f[date], inferred.written)}) for f in (collected, alike)
        ]
    known, keys = map(row_keys, frames)
    if identity:
        new = ~keys.isin(known) & ~keys.duplicated(keep="last")
    else:
        new = ~numbered(keys).isin(numbered(known)) | keep
    rows = pd.concat([collected, alike[new]], ignore_index=True)
    mixed = [name for name in rows if rows[name].dtype == object]
    return rows.assign(**{name: labels(rows[name]) for name in mixed})


def _like(values: pd.Series, pattern: pd.Series, stated: str) -> pd.Series:
    """Write `values` as `pattern` is written, so that the column keeps its type and its format."""
    inferred = infer(pattern, stated)
    try:
        alike = convert(values, inferred.kind, inferred.written)
    except ConversionError:  # `prepare` will say what is wrong, with all rows in sight
        return values
    if pd.api.types.is_timedelta64_dtype(pattern):
        return pd.to_timedelta(alike, unit="s")
    if inferred.kind == "number" and pattern.dtype == "str":
        return numbers.write(alike, inferred.written)
    if inferred.kind == "date" and pattern.dtype == "str":
        return write(alike, inferred.written) if inferred.written else values
    return alike
