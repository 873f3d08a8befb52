"""What the exploration measures: the range of columns, associations and correlations."""

import numpy as np
import pandas as pd

from ..preparation.schema import Schema
from ..problem.settings import Goal, Kind
from ..variants import of_type

DAY = pd.Timedelta(days=1)
FENCE = 1.5  # interquartile ranges between the box and what counts as an outlier
NUMBER_GROUPS = 10
MOST_LABELS = 30
SAMPLE_ROWS = 20_000  # associations of this many rows are exact to about 0.01
PAIRED_ROWS = 2000  # where each two features are compared


def problem_of(schema: Schema) -> type[Goal]:
    """Return the settings of the problem, which say what kind of target it has."""
    found: type[Goal] = of_type("problem", schema.problem).Problem
    return found


def sample_rows(rows: pd.DataFrame, most: int = SAMPLE_ROWS) -> pd.DataFrame:
    """Return the rows, or a random sample of them where they are many."""
    return rows.sample(most, random_state=0) if len(rows) > most else rows


def as_numbers(values: pd.Series, kind: Kind) -> pd.Series:
    """Return a number for each row: a date as days since 1970, a text as its number of words."""
    if kind == "date":
        return (values - pd.Timestamp(0).as_unit("us")) / DAY  # ns would reach back to 1677 only
    if kind == "text":
        return values.str.split().str.len().astype("float64")
    return values.astype("float64")


def fences(numbers: pd.Series) -> tuple[float, float]:
    """Return the limits beyond which a number is an outlier.

    The rule of Tukey (1977): 1.5 interquartile ranges from the quartiles. It says nothing where
    the middle half of the numbers are equal; then the limits are infinite.
    """
    low, high = numbers.quantile([0.25, 0.75])
    reach = FENCE * (high - low)
    return (low - reach, high + reach) if reach > 0 else (-np.inf, np.inf)


def describe_columns(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Describe each feature.

    Returns
    -------
    DataFrame
        A row for each feature: kind, missing (the share of the rows), distinct, minimum, median,
        maximum, most frequent, outliers.
    """
    lines = []
    for column in schema.features:
        present = rows[column.name].dropna()
        line = {
            "feature": column.name,
            "kind": column.kind,
            "missing": 1 - len(present) / len(rows),
            "distinct": present.nunique(),
            **dict.fromkeys(("minimum", "median", "maximum", "most frequent", "outliers")),
        }
        if column.kind == "category" and len(present):
            shares = present.value_counts(normalize=True)
            line["most frequent"] = f"{shares.index[0]} ({shares.iloc[0]:.0%})"
        elif column.kind in ("number", "date") and len(present):
            middle = [present.min(), present.median(), present.max()]
            if column.kind == "date":
                middle = [moment.date() for moment in middle]
            else:
                line["outliers"] = int((~present.between(*fences(present))).sum())
            line["minimum"], line["median"], line["maximum"] = middle
        lines.append(line)
    return pd.DataFrame(lines).set_index("feature")


def rank_features(rows: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return how strong the association of each feature is, the strongest first.

    Parameters
    ----------
    rows : DataFrame
        With the features, and the target if there is one. Of many rows a random sample is taken.

    Returns
    -------
    Series of float
        By feature, from 0 (none) to 1. With a target, the association with it: `cramers_v` for
        classes, `correlation_ratio` for numbers. Without one, the largest `cramers_v` with another
        feature.
    """
    problem, names = problem_of(schema), [column.name for column in schema.features]
    if problem.needs_target:
        sample = sample_rows(rows)
        measure = cramers_v if problem.target_kind == "category" else correlation_ratio
        target = sample[schema.target]
        y = pd.factorize(target)[0] if problem.target_kind == "category" else target.to_numpy()
        strengths = [measure(group(sample[c.name], c.kind), y) for c in schema.features]
    else:
        sample = sample_rows(rows, PAIRED_ROWS)
        groups = [group(sample[c.name], c.kind) for c in schema.features]
        pairs = np.zeros((len(groups), len(groups)))
        for i, one in enumerate(groups):
            for j, other in enumerate(groups[:i]):
                pairs[i, j] = pairs[j, i] = cramers_v(one, other)
        strengths = list(pairs.max(axis=0))
    return pd.Series(strengths, names, dtype=float).sort_values(ascending=False, kind="stable")


def group(values: pd.Series, kind: Kind) -> np.ndarray:
    """Cut the values of a column into groups, so that columns of all kinds can be compared.

    A number, date or text (by its length) is cut at its deciles; a category has a group for each
    of its frequent labels and one for all others. Missing values are a group of their own.
    """
    if kind == "category":
        frequent = values.value_counts().index[:MOST_LABELS]
        codes = pd.factorize(values.where(values.isin(frequent) | values.isna(), "\0"))[0]
    else:
        numbers = as_numbers(values, kind).to_numpy()
        cuts = np.linspace(0, 1, NUMBER_GROUPS + 1)[1:-1]
        cuts = np.nanquantile(numbers, cuts) if not np.isnan(numbers).all() else cuts
        codes = np.where(np.isnan(numbers), -1, np.searchsorted(np.unique(cuts), numbers))
    return np.unique(codes, return_inverse=True)[1]


def cramers_v(one: np.ndarray, other: np.ndarray) -> float:
    """Return how strong the association of two groupings of rows is, 0 to 1.

    Cramér's V with the correction of Bergsma (2013), "A bias-correction for Cramér's V and
    Tschuprow's T", so that many small groups do not look strong by chance.
    """
    shape = (one.max() + 1, other.max() + 1)
    observed = np.bincount(one * shape[1] + other, minlength=shape[0] * shape[1]).reshape(shape)
    n = observed.sum()
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / n
    phi = np.sum((observed - expected) ** 2 / expected) / n
    phi -= (shape[0] - 1) * (shape[1] - 1) / max(n - 1, 1)
    most = min(k - 1 - (k - 1) ** 2 / max(n - 1, 1) for k in shape)
    return float(np.sqrt(min(max(phi, 0) / most, 1))) if most > 0 else 0.0


def correlation_ratio(groups: np.ndarray, target: np.ndarray) -> float:
    """Return how strong the association of a grouping of rows with a number is, 0 to 1.

    The correlation ratio of the target's ranks between groups, with the correction of Kelley
    (1935), "An unbiased correlation ratio measure", so that many small groups do not look strong
    by chance.
    """
    ranks = pd.Series(target).rank()
    means, count = ranks.groupby(groups).transform("mean"), groups.max() + 1
    within = np.sum((ranks - means) ** 2) / max(len(ranks) - count, 1)
    total = ranks.var()
    return float(np.sqrt(max(1 - within / total, 0))) if total and len(ranks) > count else 0.0


def correlate(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's rank correlation of each two columns that vary, over the rows with both."""
    varying = numbers.loc[:, numbers.nunique() > 1]
    return varying.rank().corr()
