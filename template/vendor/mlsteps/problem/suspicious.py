"""Find columns that no model should be given as they are, and say why.

All of it works on samples first, so that 500 columns of a million rows take seconds.
"""

import hashlib
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .columns import LARGEST, Inference, convert, labels

# A column that alone reaches this is too good to be true: ROC AUC of a class, R² of the ranks of
# a quantity. Honest ones stay below: the best column of scikit-learn's breast cancer data has
# ROC AUC 0.96, the best of its iris 0.97.
TOO_GOOD = 0.98
SCREEN_ROWS, SCORE_ROWS = 2_000, 10_000
FEWEST_ROWS = 30  # with fewer, a good score is luck
HEAD = 1_000  # rows that rule most columns out
DUPLICATE_ROWS = 5_000
NUMBER_SHARE, STRAYS = 0.8, 10  # a column of so many numbers and so few different texts is mixed
ID_SHARE = 0.95
GROUP_SHARE = 0.1
ID_NAME = re.compile(
    r"(?i:(^|[_\W])(id|ids|uuid|guid|key|nr|no|number|code)$)|[a-z]I[dD]$"  # but not malic_acid
)


def constant(frame: pd.DataFrame) -> dict[str, str]:
    """Return the columns with one value or none, each with the reason."""
    found = {}
    for name, values in frame.items():
        if values.iloc[:HEAD].nunique(dropna=False) > 1:
            continue
        if values.nunique(dropna=False) == 1:
            first = values.iloc[0]
            found[name] = "is empty" if pd.isna(first) else f'is "{first!s:.40}" in every row'
    return found


def id_like(frame: pd.DataFrame, kinds: dict[str, Inference]) -> dict[str, str]:
    """Return the columns that name a row, each with the reason.

    Labels name a row if nearly all differ. Whole numbers that differ do if their name says so,
    or if they only go up.
    """
    found = {}
    for name, inferred in kinds.items():
        present = frame[name].dropna()
        if inferred.kind in {"date", "text"} or len(present) < ID_SHARE * len(frame):
            continue
        if present.iloc[:HEAD].nunique() < ID_SHARE * min(HEAD, len(present)):
            continue
        if inferred.kind == "number" and not pd.api.types.is_string_dtype(present):
            whole = pd.api.types.is_integer_dtype(present) or (present % 1 == 0).all()
            counted = present.is_monotonic_increasing or ID_NAME.search(name)
            if whole and counted and present.is_unique:
                found[name] = "is a different whole number in every row"
        elif present.nunique() >= ID_SHARE * len(present):
            found[name] = f"has {present.nunique():,} labels in {len(frame):,} rows"
    return found


def group_like(frame: pd.DataFrame, kinds: dict[str, Inference]) -> dict[str, str]:
    """Return the columns that name something with several rows, a customer say."""
    found = {}
    for name, inferred in kinds.items():
        if inferred.kind in {"number", "category"} and ID_NAME.search(name):
            different = frame[name].nunique()
            if GROUP_SHARE * len(frame) < different < ID_SHARE * len(frame):
                found[name] = f"names {different:,} things with several rows each"
    return found


def duplicate(frame: pd.DataFrame) -> dict[str, str]:
    """Return the columns that repeat an earlier one, or rename its labels one to one."""
    sample = frame.sample(DUPLICATE_ROWS, random_state=0) if len(frame) > DUPLICATE_ROWS else frame
    first: dict[bytes, str] = {}
    found = {}
    for name, values in frame.items():
        other = first.setdefault(_pattern(sample[name]), name)
        if other != name and _pattern(values) == _pattern(frame[other]):
            equal = values.equals(frame[other])
            found[name] = f'{"equals" if equal else "says one to one the same as"} "{other}"'
    return found


def _pattern(values: pd.Series) -> bytes:
    """Return a digest of which rows are equal; of the values themselves if most differ."""
    codes, different = pd.factorize(values)
    few = len(different) <= len(values) / 2
    content = codes if few else pd.util.hash_pandas_object(values, index=False).to_numpy()
    return hashlib.sha256(content.tobytes()).digest()


def mixed(frame: pd.DataFrame) -> dict[str, list[str]]:
    """Return the columns of numbers among which a few texts stray, each with those texts."""
    found = {}
    for name, values in frame.items():
        if not pd.api.types.is_string_dtype(values):
            continue
        present = values.dropna()
        if pd.to_numeric(present.iloc[:HEAD], errors="coerce").notna().mean() < NUMBER_SHARE:
            continue
        strays = present[pd.to_numeric(present, errors="coerce").isna()]
        if len(strays) <= (1 - NUMBER_SHARE) * len(present) and 0 < strays.nunique() <= STRAYS:
            found[name] = [str(text) for text in strays.unique()]
    return found


def too_good(
    frame: pd.DataFrame, target: pd.Series, kinds: dict[str, Inference], *, classes: bool
) -> dict[str, str]:
    """Return the columns that predict the target alone, each with its score.

    A shallow tree sees one column at a time, in 3-fold cross-validation on a sample.
    """
    rows = _sample(target, SCORE_ROWS, classes=classes)
    known = target.loc[rows]
    if known.nunique() < 2 or len(known) < FEWEST_ROWS:
        return {}
    true = pd.factorize(known)[0] if classes else rankdata(known)
    quick = np.random.default_rng(0).permutation(len(rows))[:SCREEN_ROWS]
    found = {}
    for name, inferred in kinds.items():
        inputs = _encoded(frame.loc[rows, name], inferred)
        model, folds = _model(inferred, classes=classes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a rare class may not reach every fold
            model.fit(inputs[quick], true[quick])
            method = "predict_proba" if classes else "predict"
            seen = getattr(model, method)(inputs[quick])  # better than on new rows, and quick
            if _score(seen, true[quick], classes=classes) < TOO_GOOD - 0.1:
                continue
            predictions = cross_val_predict(model, inputs, true, cv=folds, method=method)
        score = _score(predictions, true, classes=classes)
        if score >= TOO_GOOD:
            title = "ROC AUC" if classes else "R² of ranks"
            found[name] = (
                f"predicts the target alone ({title} {score:.3f}), as if known only after it"
            )
    return found


def _sample(target: pd.Series, size: int, *, classes: bool) -> pd.Index:
    """Return the index of some rows: of each class about as many, all if it is rare."""
    present = target.dropna().sample(frac=1, random_state=0)
    if not classes:
        return present.index[:size]
    counts = present.value_counts()
    present = present[present.isin(counts.index[counts >= 6])]  # folds need some of each
    share = size // max(1, present.nunique())
    return present.groupby(present, sort=False).head(share).index


def _encoded(values: pd.Series, inferred: Inference) -> np.ndarray:
    if inferred.kind == "number":
        encoded = pd.to_numeric(values, errors="coerce").astype("float64")
        encoded = encoded.where(encoded.abs() <= LARGEST)
    elif inferred.kind == "date":
        dates = convert(values, "date", inferred.date_format)
        encoded = dates.astype("int64").where(dates.notna()).astype("float64")
    elif inferred.kind == "text":  # whether there is one can predict; its words are not looked at
        encoded = values.notna().astype("float64")
    else:
        encoded = labels(values).fillna("").astype(object)
    return encoded.to_numpy()[:, None]


def _model(inferred: Inference, *, classes: bool) -> tuple[Any, Any]:
    """Return a shallow tree for one column of this kind, and folds."""
    if classes:
        tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=2, random_state=0)
        folds = StratifiedKFold(3, shuffle=True, random_state=0)
    else:
        tree = DecisionTreeRegressor(max_depth=8, min_samples_leaf=5, random_state=0)
        folds = KFold(3, shuffle=True, random_state=0)
    if inferred.kind == "category":
        scale = "auto" if classes else "continuous"  # ranks are whole numbers, but not classes
        return make_pipeline(TargetEncoder(target_type=scale, cv=folds), tree), folds
    return tree, folds


def _score(predictions: np.ndarray, true: np.ndarray, *, classes: bool) -> float:
    if not classes:
        return float(r2_score(true, predictions))
    present = np.unique(true)
    if len(present) == 2:
        return float(roc_auc_score(true == present[1], predictions[:, 1]))
    return min(float(roc_auc_score(true == k, predictions[:, n])) for n, k in enumerate(present))
