"""Look at the training rows and write the card of the exploration."""

import pandas as pd

from ..preparation.schema import Schema
from ..report import columns, facts, figure, heading, notice, paragraph, table
from ..variants import of_type
from .columns import as_numbers, describe_columns
from .correlation import correlate, plot_correlations, plot_pair, strongest_pairs
from .distributions import plot_distribution
from .drawing import SHOWN_FEATURES, WEAK, left_out
from .missing import MOST_COLUMNS, MOST_PATTERNS, missing_patterns, plot_missing, plot_patterns

SAMPLE_ROWS = 20_000  # correlations of this many rows are exact to about 0.01
SHOWN_CORRELATIONS = 20
SHOWN_PAIRS = 6


def standard_sections(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return what the report shows of training rows, and how they hang together.

    Parameters
    ----------
    rows
        With the features of the schema, and the target.
    """
    described = describe_columns(rows, schema)
    sample = _sample(rows)
    problem = of_type("exploration", schema.problem)
    strengths = problem.rank_features(sample, schema)
    return [
        _overview(described, len(rows)),
        *_notices(described),
        *_sampled(len(rows), len(sample)),
        *problem.insights(sample, schema, strengths),
        *_alone(sample, schema, strengths),
        *_missing(rows, described),
        *_correlations(sample, schema, strengths),
        heading("Every feature"),
        table(_every_feature(described, strengths)),
    ]


def summarize(rows: pd.DataFrame, schema: Schema) -> str:
    """Return what was found, in a line."""
    strengths = of_type("exploration", schema.problem).rank_features(_sample(rows), schema)
    return _summary(rows, schema, describe_columns(rows, schema), strengths)


def _sample(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sample(SAMPLE_ROWS, random_state=0) if len(rows) > SAMPLE_ROWS else rows


def _summary(
    rows: pd.DataFrame, schema: Schema, described: pd.DataFrame, strengths: pd.Series
) -> str:
    said = f"{len(rows):,} training rows, {len(schema.features):,} features"
    said += f"; {of_type('exploration', schema.problem).strongest(strengths, schema)}"
    gaps = (described["missing"] > 0).sum()
    return said + (f"; missing values in {gaps:,}" if gaps else "; nothing is missing")


def _overview(described: pd.DataFrame, rows: int) -> str:
    kinds = described["kind"].value_counts()
    plural = {"number": "Numbers", "category": "Categories", "date": "Dates", "text": "Texts"}
    gaps = described["missing"].mean()
    return facts(
        {
            "Training rows": rows,
            **{plural[kind]: int(count) for kind, count in kinds.items()},
            "Values missing": f"{gaps:.1%}" if gaps else "none",
            "Outliers (1.5 IQR)": int(described["outliers"].sum()),
        }
    )


def _notices(described: pd.DataFrame) -> list[str]:
    found = {
        "Missing in every training row": described["distinct"] == 0,
        "The same in every training row": described["distinct"] == 1,
        "Missing in more than half of the training rows": described["missing"].between(
            0.5, 1, inclusive="neither"
        ),
    }
    return [
        notice(f"{what}: {_names(described.index[which])}.", "warn")
        for what, which in found.items()
        if which.any()
    ]


def _sampled(rows: int, sample: int) -> list[str]:
    if rows == sample:
        return []
    return [
        paragraph(
            f"Plots, associations and correlations are made from a random sample of {sample:,} of "
            f"the {rows:,} training rows; missing values, ranges and outliers are counted in all."
        )
    ]


def _alone(sample: pd.DataFrame, schema: Schema, strengths: pd.Series) -> list[str]:
    kinds = {column.name: column.kind for column in schema.features}
    shown = [name for name in strengths.index if sample[name].notna().any()][:SHOWN_FEATURES]
    plots = [figure(*plot_distribution(sample[name], kinds[name]), name) for name in shown]
    return [
        heading("Features alone"),
        paragraph(
            f"{of_type('exploration', schema.problem).ORDER}{left_out(len(shown), len(strengths))} "
            "Outliers lie more than 1.5 interquartile ranges (IQR) from the box; the few "
            "that lie 3 further are counted, not drawn."
        ),
        columns(*plots),
    ]


def _missing(rows: pd.DataFrame, described: pd.DataFrame) -> list[str]:
    shares = described["missing"].sort_values(ascending=False, kind="stable")
    shares = shares[shares > 0]
    if shares.empty:
        return []
    shown = shares.head(MOST_COLUMNS)
    caption = f"Share of the training rows.{left_out(len(shown), len(shares))}"
    plots = [figure(plot_missing(shown), caption, "By feature")]
    if len(shown) > 1:
        gaps, counts = missing_patterns(rows[shown.index])
        caption = "A line is a pattern with its share of the rows, an orange dot a gap."
        rest = left_out(min(MOST_PATTERNS, len(counts)), len(counts))
        plot = plot_patterns(list(shown.index), gaps, counts)
        plots.append(figure(plot, f"{caption}{rest}", "Together"))
    return [heading("Missing values"), columns(*plots)]


def _correlations(sample: pd.DataFrame, schema: Schema, strengths: pd.Series) -> list[str]:
    kinds = {c.name: c.kind for c in schema.features if c.kind in ("number", "date")}
    numbers = pd.DataFrame({name: as_numbers(sample[name], kind) for name, kind in kinds.items()})
    correlations = correlate(numbers)
    if len(correlations) < 2:
        return []
    shown = [name for name in strengths.index if name in correlations.columns][:SHOWN_CORRELATIONS]
    pairs = [p for p in strongest_pairs(correlations, SHOWN_PAIRS) if abs(p[2]) >= WEAK]
    plots = [
        figure(plot_pair(numbers, kinds, a, b), f"correlation {r:.2f}", f"{a} and {b}")
        for a, b, r in pairs
    ]
    rest = left_out(len(shown), len(correlations))
    return [
        heading("Correlations"),
        figure(
            plot_correlations(correlations.loc[shown, shown]),
            "Spearman's rank correlation of numbers and dates, over the rows that have both. Blue: "
            f"both rise together; orange: one falls as the other rises.{rest}",
        ),
        *([paragraph("The strongest pairs:"), columns(*plots)] if plots else []),
    ]


def _every_feature(described: pd.DataFrame, strengths: pd.Series) -> pd.DataFrame:
    shown = described.loc[strengths.index].copy()
    shown.insert(1, "association", strengths)
    shown["missing"] = [f"{share:.1%}" if share else "" for share in shown["missing"]]
    shown["most frequent"] = shown["most frequent"].fillna("")
    return shown.rename_axis("feature")


def _names(names: pd.Index) -> str:
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
