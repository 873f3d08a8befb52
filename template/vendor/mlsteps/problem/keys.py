"""Know a row again, whatever has become of the file around it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from .columns import labels

EXACT = 2**53  # from here on a fraction no longer tells neighbouring whole numbers apart
CODE = r"[+-]?0\d"  # "0123" is not 123
MIX = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio, as Knuth has it for hashing


def row_keys(frame: pd.DataFrame, names: Iterable[str] | None = None) -> pd.Series:
    """Return a key (uint64) for each row, the same for equal rows; by all columns, or by `names`.

    Neither the order of the columns nor their types (1, 1.0 and "1" are one value) nor a missing
    value changes it, and the key of some columns and that of the others add up to that of all.
    """
    keys = np.zeros(len(frame), dtype="uint64")
    for name in frame if names is None else names:
        values = frame[name]
        salt = pd.util.hash_array(np.array([str(name)], dtype=object))[0]
        mixed = (_hashes(values) ^ salt) * MIX
        keys += np.where(values.notna(), mixed ^ (mixed >> np.uint64(32)), np.uint64(0))
    return pd.Series(keys, index=frame.index)


def numbered(keys: pd.Series) -> pd.Series:
    """Give equal rows keys of their own: the first keeps its key, wherever the others stand."""
    return keys + keys.groupby(keys).cumcount().to_numpy("uint64") * MIX


def _hashes(values: pd.Series) -> np.ndarray:
    types = pd.api.types
    if types.is_datetime64_any_dtype(values):
        return pd.util.hash_array(values.dt.as_unit("us").astype("int64").to_numpy())
    if types.is_numeric_dtype(values) and not types.is_bool_dtype(values):
        numbers = values.to_numpy(dtype="float64", na_value=np.nan)
        hashes = pd.util.hash_array(numbers + 0.0)  # no -0.0
        large = np.abs(numbers) >= EXACT
        if types.is_integer_dtype(values) and large.any():
            hashes[large] = _text_hashes(values[large].astype("str"))
        return hashes
    texts = labels(values)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    code = texts.str.match(CODE).to_numpy(dtype=bool, na_value=False)
    as_text = np.isnan(numbers) | code | (np.abs(numbers) >= EXACT)
    return np.where(as_text, _text_hashes(texts), pd.util.hash_array(numbers + 0.0))


def _text_hashes(texts: pd.Series) -> np.ndarray:
    return pd.util.hash_pandas_object(texts, index=False).to_numpy()
