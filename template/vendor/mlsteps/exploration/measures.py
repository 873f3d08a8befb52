"""What the exploration measures: the range of columns, associations and correlations."""

import numpy as np
import pandas as pd

from ..preparation.schema import Schema
from ..problem.settings import Goal, Kind
from ..variants import of_type

NUMBER_GROUPS = 10
MOST_GROUPS = 30
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
        return (values - pd.Timestamp(0).as_unit("us")) / pd.Timedelta(days=1)
    if kind == "text":
        return values.str.split().str.len().astype("float64")
    return values.astype("float64")


def fences(numbers: pd.Series, ranges: float = 1.5) -> tuple[float, float]:
    """Return the limits beyond which a number is an outlier: so many interquartile ranges away.

    The rule of Tukey (1977). It says nothing where the middle half of the numbers are equal; then
    the limits are infinite.
    """
    low, high = numbers.quantile([0.25, 0.75])
    reach = ranges * (high - low)
    return (low - reach, high + reach) if reach > 0 else (-np.inf, np.inf)


def describe_columns(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a row of measures for each feature, the one with the strongest association first."""
    lines = []
    for name, association in rank_features(rows, schema).items():
        values = rows[name].dropna()
        kind = next(column.kind for column in schema.features if column.name == name)
        line = {
            "feature": name,
            "kind": kind,
            "association": association,
            "missing": 1 - len(values) / len(rows),
            "distinct": values.nunique(),
            **dict.fromkeys(("minimum", "typical", "maximum", "outliers")),
        }
        if kind == "category" and len(values):
            line["typical"] = values.mode()[0]
        elif kind in ("number", "date") and len(values):
            middle = [values.min(), values.median(), values.max()]
            middle = [moment.date() for moment in middle] if kind == "date" else middle
            line |= dict(zip(("minimum", "typical", "maximum"), middle, strict=True))
        if kind == "number":
            line["outliers"] = int((~values.between(*fences(values))).sum())
        lines.append(line)
    return pd.DataFrame(lines).set_index("feature")


def rank_features(rows: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return how strong the association of each feature is, from 0 to 1, the strongest first.

    With a target, the association with it: `cramers_v` for classes, `correlation_ratio` for
    numbers. Without one, the largest `cramers_v` with another feature.
    """
    problem, names = problem_of(schema), [column.name for column in schema.features]
    sample = sample_rows(rows, SAMPLE_ROWS if problem.needs_target else PAIRED_ROWS)
    groups = [group(sample[column.name], column.kind) for column in schema.features]
    if not problem.needs_target:
        pairs = np.zeros((len(groups), len(groups)))
        for i, one in enumerate(groups):
            for j, other in enumerate(groups[:i]):
                pairs[i, j] = pairs[j, i] = cramers_v(one, other)
        strengths = list(pairs.max(axis=0))
    elif problem.target_kind == "category":
        classes = pd.factorize(sample[schema.target])[0]
        strengths = [cramers_v(one, classes) for one in groups]
    else:
        target = sample[schema.target].to_numpy()
        strengths = [correlation_ratio(one, target) for one in groups]
    return pd.Series(strengths, names, dtype=float).sort_values(ascending=False, kind="stable")


def group(values: pd.Series, kind: Kind) -> np.ndarray:
    """Cut the values of a column into groups, so that columns of all kinds can be compared.

    A number, date or text (by its length) is cut at its deciles; a category has a group for each
    of its frequent labels and one for all others. Missing values are a group of their own.
    """
    if kind == "category":
        frequent = values.value_counts().index[:MOST_GROUPS]
        codes = pd.factorize(values.where(values.isin(frequent) | values.isna(), "\0"))[0]
    else:
        numbers = as_numbers(values, kind)
        cuts = numbers.quantile(np.linspace(0, 1, NUMBER_GROUPS + 1)[1:-1]).unique()
        codes = np.where(numbers.isna(), -1, np.searchsorted(cuts, numbers))
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
    (1935), "An unbiased correlation ratio measure", for many small groups.
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
