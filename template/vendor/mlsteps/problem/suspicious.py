"""Find columns that a model should not be given as they are.

Each function returns names of columns, each with the reason: a predicate that follows the name.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ..report import counted
from .columns import ConversionError, Inference, Kinds, convert, labels, tell
from .numbers import parse

# A column that alone reaches this is too good to be true: ROC AUC of a class, R² of the ranks of
# a quantity. Honest ones stay below: the best column of scikit-learn's breast cancer data has
# ROC AUC 0.96, the best of its iris 0.97.
TOO_GOOD = 0.98
PAIR = 0.999  # of two columns whose sum, difference, product or ratio is the target: R² of ranks
SAMPLE_ROWS = 5_000
FEWEST_ROWS = 30  # with fewer, a good score is luck
HEAD = 1_000  # rows that rule most columns out
STRAY_SHARE, STRAYS = 0.2, 10  # at most so many texts, and different ones, stand among numbers
ID_SHARE = 0.95
DATES = 10  # an event date takes at least so many values
BIRTH = re.compile(r"birth|born|dob", re.IGNORECASE)
GROUP_SHARE = 0.1
ID_NAME = re.compile(
    r"(?i:(^|[_\W])(id|ids|uuid|guid|key|nr|no|number|code)$)|[a-z]I[dD]$"  # but not malic_acid
)
TARGET = " target"  # no column that was collected begins with a blank
Reasons = dict[str, str]


def constant(frame: pd.DataFrame, kinds: Kinds) -> Reasons:
    """Find columns with one value or none."""
    found = {}
    for name in kinds:
        head, first = frame[name].iloc[:HEAD], frame[name].iloc[0]
        if head.nunique(dropna=False) == 1 and frame[name].nunique(dropna=False) == 1:
            found[name] = "is empty" if pd.isna(first) else f'is "{first!s:.40}" in every row'
    return found


def id_like(frame: pd.DataFrame, kinds: Kinds) -> Reasons:
    """Find labels, or whole numbers that go up or are named like an id, that differ by row."""
    repeated = frame.duplicated()
    if repeated.mean() <= 1 - ID_SHARE:  # a row that came twice has the same id both times
        frame = frame[~repeated]
    found = {}
    for name, inferred in kinds.items():
        present = frame[name].dropna()
        if inferred.kind not in ("number", "category") or len(present) < ID_SHARE * len(frame):
            continue
        if inferred.kind == "category":
            if present.nunique() >= ID_SHARE * len(present):
                why = f"{inferred.reason}; it " if "units" in inferred.reason else ""
                found[name] = f"{why}has {present.nunique():,} labels in {len(frame):,} rows"
            continue
        numbers = pd.to_numeric(present, errors="coerce")
        counted = numbers.is_monotonic_increasing or ID_NAME.search(name)
        if counted and (numbers % 1 == 0).all() and numbers.is_unique:
            found[name] = "is a different whole number in every row"
    return found


def group_like(frame: pd.DataFrame, kinds: Kinds) -> Reasons:
    """Find the first column that names something with several rows, a customer say."""
    for name, inferred in kinds.items():
        if inferred.kind in ("number", "category") and ID_NAME.search(name):
            different = frame[name].nunique()
            if GROUP_SHARE * len(frame) < different < ID_SHARE * len(frame):
                return {name: f"names {different:,} things with several rows each"}
    return {}


def duplicate(frame: pd.DataFrame, kinds: Kinds) -> Reasons:
    """Find columns that equal an earlier one, or rename its labels one to one."""
    sample = frame.sample(min(len(frame), SAMPLE_ROWS), random_state=0)
    first: dict[bytes, str] = {}
    found = {}
    for name in kinds:
        other = first.setdefault(_pattern(sample[name]), name)
        if other != name and _pattern(frame[name]) == _pattern(frame[other]):
            found[name] = f'says the same as "{other}"'
    return found


def _pattern(values: pd.Series) -> bytes:
    """Return which rows are equal; or the values themselves, if most differ."""
    codes, different = pd.factorize(values)
    few = len(different) <= len(values) / 2
    return (codes if few else pd.util.hash_pandas_object(values, index=False).to_numpy()).tobytes()


def event_date(frame: pd.DataFrame, kinds: Kinds) -> Reasons:
    """Find the column that says when a row happened."""
    dates = [n for n, kind in kinds.items() if kind.kind == "date" and not BIRTH.search(n)]
    dates = [n for n in dates if frame[n].notna().all() and frame[n].nunique() >= DATES]
    if len(dates) < 2:
        return dict.fromkeys(dates, "is the only date that every row has")
    return {dates[0]: f'is the first date that every row has; "{dates[1]}" is another'}


def dates(frame: pd.DataFrame, kinds: Kinds) -> Reasons:
    """Find dates, which without a target would tell rows apart by when they were."""
    reason = "is a date, left out: when a row was is not what it is like, unless you say so"
    return {name: reason for name, inferred in kinds.items() if inferred.kind == "date"}


def without_strays(
    frame: pd.DataFrame, decimal: str = "", classes: str = ""
) -> tuple[Reasons, pd.DataFrame, Reasons]:
    """Find the texts that stand for missing numbers, and turn columns of numbers into these.

    Others, like "10+" or a label of another column, say something: such a column stays a category,
    for the reason that is returned. In the column of `classes` no number has a unit.
    """
    texts, mixed = frame.select_dtypes("str"), {}
    durations = frame.select_dtypes("timedelta")
    missing: Reasons = {}
    reasons = dict.fromkeys(map(str, durations), "holds durations, as seconds")
    found = {name: parse(durations[name]) for name in reasons}
    for name in map(str, texts):
        written, reason = _tell(texts[name], decimal)
        if written is None or (name == classes and written[1:]):
            continue
        found[name] = parse(texts[name], written)
        strays = texts.loc[found[name].isna(), name].dropna()
        if strays.nunique() > STRAYS:
            del found[name]
            continue
        reasons[name] = reason
        if len(strays):
            mixed[name] = strays
    others = texts.drop(columns=list(found), errors="ignore")
    for name, strays in mixed.items():
        listed = ", ".join(f'"{text}"' for text in strays.unique())
        elsewhere = others.isin(strays.unique()).any()
        many = len(strays) > STRAY_SHARE * len(frame)
        if many or strays.str.contains(r"\d").any():
            reasons[name] = (
                f"holds numbers, and {listed} in {counted(len(strays), 'row')}: labels, unless "
                "[data] missing names what stands where no number is known"
            )
        elif elsewhere.any():
            reasons[name] = (
                f'holds numbers, and {listed}, a label of "{elsewhere.idxmax()}" as well'
            )
        else:
            rows = counted(len(strays), "row")
            reason = f'counts as missing: it stands among the numbers of "{name}" in {rows}'
            missing |= dict.fromkeys(strays.unique(), reason)
            continue
        del found[name]
    return missing, frame.assign(**found), reasons


def _tell(texts: pd.Series, decimal: str) -> tuple[str | None, str]:
    """Return how most of some texts are written if they are numbers, and why."""
    told = tell(texts, decimal)
    if told != (None, ""):
        return told
    written, reason = tell(texts, decimal, sought=True)
    head = texts.dropna().iloc[:HEAD]
    most = written is not None and parse(head, written).notna().mean() > 1 / 2
    return (written, reason) if most else told


def too_good(frame: pd.DataFrame, kinds: Kinds, target: pd.Series, *, classes: bool) -> Reasons:
    """Find columns that predict the target alone.

    A shallow tree sees one column at a time, in 3-fold cross-validation on a sample.
    """
    known = _sample(target, classes=classes)
    if known.nunique() < 2 or len(known) < FEWEST_ROWS:
        return {}
    true = pd.factorize(known)[0] if classes else rankdata(known)
    title = "ROC AUC" if classes else "R² of ranks"
    found = {}
    for name, inferred in kinds.items():
        try:
            score = _score(frame.loc[known.index, name], inferred, true, classes=classes)
        except ConversionError:  # `check` refuses the column
            continue
        if score >= TOO_GOOD:
            found[name] = (
                f"predicts the target alone ({title} {score:.3f}), as if known only after it"
            )
    return found


def too_good_pairs(frame: pd.DataFrame, kinds: Kinds, target: pd.Series) -> Reasons:
    """Find columns that make the target with another: by sum, difference, product or ratio.

    Correlations with all sums and differences follow from one covariance matrix, with products and
    ratios from that of the logarithms. Of two, the one with more different values is taken.
    """
    known = _sample(target, classes=False)
    names = [name for name, inferred in kinds.items() if inferred.kind == "number"]
    if len(known) < FEWEST_ROWS or len(names) < 2:
        return {}
    rows = frame.loc[known.index, names].apply(pd.to_numeric, errors="coerce").astype("float64")
    found: Reasons = {}
    with np.errstate(all="ignore"):
        logs = np.log(rows.abs().assign(**{TARGET: known.abs()})).replace(-np.inf, np.nan)
        logs = logs[logs[TARGET] >= logs[TARGET].median()]  # smaller ones are rounded most
        for table, signs in ((rows.assign(**{TARGET: known}), "+-"), (logs, "×/")):
            for sign, one, other in _pairs(table, signs):
                made = table[one] + (1 if sign in "+×" else -1) * table[other]
                ranks = made.corr(table[TARGET], "spearman", FEWEST_ROWS)  # no matter of outliers
                if ranks**2 >= PAIR and not found.keys() & {one, other}:
                    name = max(one, other, key=lambda column: rows[column].nunique())
                    parts = f'"{one}" {sign} "{other}"'
                    found[name] = f"makes the target, as {parts}: one of the two comes after it"
    return found


def _pairs(table: pd.DataFrame, signs: str) -> Iterator[tuple[str, str, str]]:
    """Yield pairs of columns whose sum or difference goes with the last one, and its sign."""
    covariance, names = table.cov().to_numpy(), table.columns
    own, with_target = covariance.diagonal()[:-1], covariance[-1, :-1]
    for sign, factor in zip(signs, (1, -1), strict=True):
        both = with_target[:, None] + factor * with_target
        spread = own[:, None] + own + 2 * factor * covariance[:-1, :-1]
        alike = both**2 >= PAIR * spread * covariance[-1, -1]
        for k, j in np.argwhere(np.triu(alike & (spread > 0), 1)):
            yield sign, *((names[k], names[j]) if both[k, j] > 0 else (names[j], names[k]))


def _sample(target: pd.Series, *, classes: bool) -> pd.Series:
    """Return some values of the target: of each class about as many, all if it is rare."""
    present = target.dropna().sample(frac=1, random_state=0)
    if not classes:
        return present.iloc[:SAMPLE_ROWS]
    counts = present.value_counts()
    present = present[present.isin(counts.index[counts >= 6])]  # folds need some of each
    return present.groupby(present, sort=False).head(SAMPLE_ROWS // max(1, present.nunique()))


def _score(values: pd.Series, inferred: Inference, true: np.ndarray, *, classes: bool) -> float:
    """Return how well a tree predicts the target from one column: its worst class, or all ranks."""
    tree: Any = DecisionTreeClassifier if classes else DecisionTreeRegressor
    model = tree(max_depth=6, min_samples_leaf=2, random_state=0)
    folds = (StratifiedKFold if classes else KFold)(3, shuffle=True, random_state=0)
    if inferred.kind == "text":  # whether there is one can predict; its words are not looked at
        values = values.notna()
    elif inferred.kind == "category":
        scale = "auto" if classes else "continuous"  # ranks are whole numbers, but not classes
        values = labels(values).fillna("").astype(object)
        model = make_pipeline(TargetEncoder(target_type=scale, cv=folds), model)
    else:
        values = convert(values, inferred.kind, inferred.written)
        if inferred.kind == "date":
            values = values.astype("int64").where(values.notna()).astype("float64")
    method = "predict_proba" if classes else "predict"
    predictions = cross_val_predict(model, values.to_frame(), true, cv=folds, method=method)
    if not classes:
        return float(r2_score(true, predictions))
    return min(float(roc_auc_score(true == k, p)) for k, p in enumerate(predictions.T))
