"""Has a column changed? Tests for each kind of column, and the size of the change."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ..problem.settings import Kind
from ..report import counted, number

BINS = 10  # of the population stability index, by the quantiles of the reference
MOST_LABELS = 20  # that are counted by themselves; a chi-squared test needs some rows in each
LEAST_EXPECTED = 5  # rows in a cell (Cochran, 1954)


@dataclass(frozen=True)
class Drift:
    """How far a column has moved.

    Attributes
    ----------
    column : str
        An input, a feature, or "prediction".
    p_value : float
        The chance of such a difference, or a larger one, if nothing had changed; adjusted for the
        number of columns.
    psi : float
        The population stability index: below 0.1 little, above 0.25 much (a rule of thumb).
    note : str
        What changed most, in words.

    Examples
    --------
    >>> Drift("age", 2e-6, 0.31, "median 41, now 55").sentence()
    '"age" has drifted (p = 2e-06, PSI 0.31; median 41, now 55)'
    """

    column: str
    p_value: float
    psi: float
    note: str

    def sentence(self) -> str:
        """Say how far it has moved."""
        size = f"p = {self.p_value:.1g}, PSI {self.psi:.2f}"
        return f'"{self.column}" has drifted ({"; ".join(filter(None, [size, self.note]))})'


def compare_column(name: str, kind: Kind, reference: pd.Series, current: pd.Series) -> Drift:
    """Compare the values of a column now with those it was trained on.

    Missing values are compared by themselves. Numbers, dates and the length of texts: by the test
    of Kolmogorov and Smirnov, and by how many values lie beyond the range of the reference; labels:
    by chi-squared. The tests of a column share one p-value by Bonferroni's rule.
    """
    before, now = reference.dropna(), current.dropna()
    missing = [[len(s), len(all_) - len(s)] for s, all_ in ((before, reference), (now, current))]
    tests, counts = [_counts_p_value(np.array(missing))], np.ones((2, 1))
    if before.empty or now.empty:
        pass  # only missing values can be compared
    elif kind == "category":
        counts = _label_counts(before, now)
        tests.append(_counts_p_value(counts))
    else:
        old, new = (_as_numbers(values, kind) for values in (before, now))
        counts = _bin_counts(old, new)
        with warnings.catch_warnings():
            # It warns where the exact distribution is out of reach, and takes the asymptotic one.
            warnings.simplefilter("ignore", RuntimeWarning)
            tests.append(float(stats.ks_2samp(old, new).pvalue))
        tests.append(_range_p_value(old, new))
    # Half a row is added to each cell, so that no share is zero.
    was, is_now = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    psi = float(np.sum((is_now - was) * np.log(is_now / was)))
    return Drift(name, min(1.0, len(tests) * min(tests)), psi, _note(kind, reference, current))


def adjust(p_values: list[float]) -> list[float]:
    """Adjust for many tests, so that their family raises a false alarm no oftener than one would.

    Holm (1979): no assumption about how the columns depend on each other.
    """
    order = np.argsort(p_values)
    steps = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted.tolist()


def _as_numbers(values: pd.Series, kind: Kind) -> np.ndarray:
    if kind == "text":
        values = values.str.len()
    return values.astype("int64" if kind == "date" else "float64").to_numpy("float64")


def _label_counts(before: pd.Series, now: pd.Series) -> np.ndarray:
    """Return a row of counts for each sample; rare labels, and new ones, are pooled."""
    # Chosen by both samples: the most frequent of one alone are so by chance, too, and would drift.
    kept = pd.concat([before, now]).value_counts().index[:MOST_LABELS]
    pooled = [values.where(values.isin(kept), "\0other").value_counts() for values in (before, now)]
    counts = pd.DataFrame(pooled).fillna(0)
    expected = counts.sum() * len(now) / (len(before) + len(now))
    names = counts.columns.where(expected >= LEAST_EXPECTED, "\0rare")
    return counts.T.groupby(names).sum().T.to_numpy()


def _bin_counts(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    places = [np.searchsorted(edges, values, side="right") for values in (before, now)]
    return np.array([np.bincount(place, minlength=len(edges) + 1) for place in places])


def _counts_p_value(counts: np.ndarray) -> float:
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:
        return 1.0
    exact = counts.shape == (2, 2)
    return float((stats.fisher_exact if exact else stats.chi2_contingency)(counts).pvalue)


def _range_p_value(before: np.ndarray, now: np.ndarray) -> float:
    """Return the chance that so many values lie beyond the range of those before.

    If nothing has changed every order of the values is as likely as any other, so the largest k
    of all are new ones with the probability that k draws from one urn take none of the old.
    """
    chances = []
    for beyond in ((now > before.max()).sum(), (now < before.min()).sum()):
        draws = np.arange(beyond)
        chances.append(np.prod((len(now) - draws) / (len(now) + len(before) - draws)))
    return min(1.0, 2 * float(min(chances)))


def _note(kind: Kind, reference: pd.Series, current: pd.Series) -> str:
    """Say what changed most: missing values, the median and the range, or a label."""
    was, now = reference.isna().mean(), current.isna().mean()
    notes = [f"missing {was:.1%}, now {now:.1%}"] if abs(was - now) >= 0.005 else []
    if kind == "number":
        notes.append(f"median {number(reference.median())}, now {number(current.median())}")
        least, most = reference.min(), reference.max()
        if beyond := ((current < least) | (current > most)).sum():
            notes.append(f"{counted(beyond, 'row')} beyond {number(least)} to {number(most)}")
    elif kind == "category":
        unseen = current.dropna()[~current.dropna().isin(reference)]
        if len(unseen):
            rows = counted(len(unseen), "row")
            notes.append(f"{rows} with labels not seen before, like {unseen.iloc[0]!r}")
        shares = pd.DataFrame([s.value_counts(normalize=True) for s in (reference, current)])
        if len(shares.columns):
            shares = shares.fillna(0).sort_index(axis="columns")
            before, after = shares.to_numpy()
            most = np.abs(after - before).argmax()
            notes.append(f"{shares.columns[most]!r} {before[most]:.1%}, now {after[most]:.1%}")
    return "; ".join(notes)
