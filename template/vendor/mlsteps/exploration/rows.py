"""The sections of the report that show training rows: the standard ones, and each alone."""

import pandas as pd

from ..plots import BLUE, ORANGE
from ..preparation.schema import Schema
from ..problem.settings import Kind
from ..report import columns, facts, figure, heading, legend, notice, paragraph, table
from .measures import (
    SAMPLE_ROWS,
    as_numbers,
    correlate,
    describe_columns,
    problem_of,
    rank_features,
    sample_rows,
)
from .row_plots import (
    class_colours,
    plot_against_class,
    plot_against_number,
    plot_bars,
    plot_correlations,
    plot_distribution,
)

SHOWN_BARS = 20
SHOWN_PLOTS = 12
WEAK = 0.1  # below it, an association is not worth a word


def summarize_rows(rows: pd.DataFrame, schema: Schema) -> str:
    """Return what was found, in a line."""
    ranking = rank_features(rows, schema)
    first, strong = ranking.index[0], ranking.iloc[0] >= WEAK
    if problem_of(schema).needs_target:
        weak = f"no feature alone tells much about {schema.target}"
        found = f"{first} tells most about {schema.target}" if strong else weak
    else:
        both = " and ".join(ranking.index[:2])
        found = f"{both} go together with others most" if strong else "no two features go together"
    gaps = rows[list(ranking.index)].isna().any().sum()
    missing = f"missing values in {gaps:,}" if gaps else "nothing is missing"
    return f"{len(rows):,} training rows, {len(ranking):,} features; {found}; {missing}"


def row_sections(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the standard sections of rows, each made by a function of this module."""
    described, ranking = describe_columns(rows, schema), rank_features(rows, schema)
    with_target = problem_of(schema).needs_target
    return [
        show_overview(described, len(rows)),
        *show_notices(described, len(rows)),
        *(show_target if with_target else show_structure)(rows, schema, ranking),
        *(show_against_target(rows, schema, ranking) if with_target else []),
        *show_distributions(rows, schema, ranking),
        *show_missing(described),
        *show_correlations(rows, schema, ranking),
        *show_table(described, ranking),
    ]


def show_overview(described: pd.DataFrame, rows: int) -> str:
    """Return the key figures of the rows, from what `describe_columns` found."""
    kinds = described["kind"].value_counts()
    plural = {"number": "Numbers", "category": "Categories", "date": "Dates", "text": "Texts"}
    missing = described["missing"].mean()
    return facts(
        {
            "Training rows": rows,
            **{plural[kind]: int(count) for kind, count in kinds.items()},
            "Values missing": f"{missing:.1%}" if missing else "none",
            "Outliers (1.5 IQR)": int(described["outliers"].sum()),
        }
    )


def show_notices(described: pd.DataFrame, rows: int) -> list[str]:
    """Return what should be known of some columns, and whether plots show a sample."""
    mostly = (described["missing"] > 0.5) & (described["missing"] < 1)
    found = {
        "Missing in every training row": described["distinct"] == 0,
        "The same in every training row": described["distinct"] == 1,
        "Missing in more than half of the training rows": mostly,
    }
    notices = [
        notice(f"{what}: {_names(described.index[which])}.", "warn")
        for what, which in found.items()
        if which.any()
    ]
    sampled = (
        f"Plots, associations and correlations are made from a random sample of {SAMPLE_ROWS:,} of "
        f"the {rows:,} training rows; missing values, ranges and outliers are counted in all."
    )
    return [*notices, *([paragraph(sampled)] if rows > SAMPLE_ROWS else [])]


def show_target(rows: pd.DataFrame, schema: Schema, ranking: pd.Series) -> list[str]:
    """Return the distribution of the target, and the association of each feature with it."""
    target, shown = sample_rows(rows)[schema.target], ranking.head(SHOWN_BARS)
    if problem_of(schema).target_kind == "category":
        plot, caption = plot_distribution(target, "category", class_colours(target))
        measure = "Cramér's V, bias-corrected"
    else:
        plot, caption = plot_distribution(target, "number")
        measure = "Correlation ratio of the target's ranks, bias-corrected"
    measure += ", with numbers cut at their deciles; 0 is no association, 1 the strongest."
    more = _left_out(len(shown), len(ranking))
    return [
        heading(f"The target, {schema.target}"),
        columns(
            figure(plot, caption, "Distribution"),
            figure(plot_bars(shown, ".2f"), measure + more, "Association of each feature alone"),
        ),
    ]


def show_against_target(rows: pd.DataFrame, schema: Schema, ranking: pd.Series) -> list[str]:
    """Return a plot of each feature against the target, the strongest first."""
    sample, kinds = sample_rows(rows), _kinds(schema)
    target, shown = sample[schema.target], _plotted(sample, ranking)
    if problem_of(schema).target_kind == "category":
        plot_against, colours = plot_against_class, class_colours(target)
        explained = (
            "Numbers: their distribution within each class, each with the same area. "
            "Categories: the share of the classes within each label, with its number of rows."
        )
    else:
        trend = f"median {target.name} in up to ten equal parts of the rows"
        plot_against, colours = plot_against_number, {"a training row": BLUE, trend: ORANGE}
        explained = (
            "Numbers: the target upwards, for some of the rows. "
            "Categories: the target to the right, as a box for each label, with its number of rows."
        )
    return [
        heading(f"Features against {schema.target}"),
        paragraph(f"Strongest first.{_left_out(len(shown), len(ranking))} {explained}"),
        legend(colours),
        columns(
            *(
                figure(
                    plot_against(sample[name], kinds[name], target),
                    f"association {ranking[name]:.2f}",
                    name,
                )
                for name in shown
            )
        ),
    ]


def show_structure(rows: pd.DataFrame, schema: Schema, ranking: pd.Series) -> list[str]:
    """Return which features go together, where there is no target."""
    shown = ranking.head(SHOWN_BARS)
    caption = (
        "Cramér's V, bias-corrected, with numbers cut at their deciles: each feature with the one "
        f"that it goes together with most.{_left_out(len(shown), len(ranking))}"
    )
    plot = figure(plot_bars(shown, ".2f"), caption, "Association")
    return [heading("How the features go together"), plot]


def show_distributions(rows: pd.DataFrame, schema: Schema, ranking: pd.Series) -> list[str]:
    """Return the distribution of each feature, the strongest first."""
    sample, kinds = sample_rows(rows), _kinds(schema)
    shown = _plotted(sample, ranking)
    plots = [figure(*plot_distribution(sample[name], kinds[name]), name) for name in shown]
    return [
        heading("Distributions"),
        paragraph(
            f"Strongest association first.{_left_out(len(shown), len(ranking))} Outliers lie more "
            "than 1.5 interquartile ranges (IQR) from the box; the few that lie more than 4.5 from "
            "it are counted, not drawn."
        ),
        columns(*plots),
    ]


def show_missing(described: pd.DataFrame) -> list[str]:
    """Return the share of missing values of each feature, if there are any."""
    shares = described["missing"].sort_values(ascending=False, kind="stable")
    shares = shares[shares > 0]
    if shares.empty:
        return []
    shown = shares.head(SHOWN_BARS)
    caption = f"Share of the training rows.{_left_out(len(shown), len(shares))}"
    return [heading("Missing values"), figure(plot_bars(shown, ".1%", ORANGE), caption)]


def show_correlations(rows: pd.DataFrame, schema: Schema, ranking: pd.Series) -> list[str]:
    """Return the correlations of numbers and dates."""
    sample = sample_rows(rows)
    kinds = {name: kind for name, kind in _kinds(schema).items() if kind in ("number", "date")}
    numbers = pd.DataFrame({name: as_numbers(sample[name], kind) for name, kind in kinds.items()})
    correlations = correlate(numbers)
    if len(correlations) < 2:
        return []
    shown = [name for name in ranking.index if name in correlations.columns][:SHOWN_BARS]
    caption = (
        "Spearman's rank correlation of numbers and dates, over the rows that have both. Blue: "
        "both rise together; orange: one falls as the other rises."
    )
    more = _left_out(len(shown), len(correlations))
    return [
        heading("Correlations"),
        figure(plot_correlations(correlations.loc[shown, shown]), caption + more),
    ]


def show_table(described: pd.DataFrame, ranking: pd.Series) -> list[str]:
    """Return a table with a line for every feature."""
    lines = described.loc[ranking.index]
    lines.insert(1, "association", ranking)
    lines["missing"] = [f"{share:.1%}" if share else "" for share in lines["missing"]]
    lines["most frequent"] = lines["most frequent"].fillna("")
    return [heading("Every feature"), table(lines)]


def _kinds(schema: Schema) -> dict[str, Kind]:
    return {column.name: column.kind for column in schema.features}


def _plotted(sample: pd.DataFrame, ranking: pd.Series) -> list[str]:
    return [name for name in ranking.index if sample[name].notna().any()][:SHOWN_PLOTS]


def _names(names: pd.Index) -> str:
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _left_out(shown: int, of: int) -> str:
    """Say that not everything is shown, where that is so."""
    return f" Shown are {shown} of {of:,}." if shown < of else ""
