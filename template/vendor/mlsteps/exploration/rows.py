"""The sections of the report that show training rows."""

import pandas as pd

from ..plots import BLUE, GREY, ORANGE, PALETTE, bars, new_figure
from ..preparation.schema import Schema
from ..report import columns, counted, facts, figure, heading, legend, paragraph, table
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
    OTHERS,
    plot_against_class,
    plot_against_number,
    plot_correlations,
    plot_distribution,
)

SHOWN_BARS = 20
SHOWN_PLOTS = 12
WEAK = 0.1  # below it, an association is not worth a word
# By the kind of the target, "" where there is none.
PLOTS = {"category": plot_against_class, "number": plot_against_number, "": plot_distribution}
EXPLAINED = {
    "category": "Numbers: their distribution within each class, each with the same area. "
    "Categories: the share of the classes within each label, with its number of rows.",
    "number": "Numbers: the target upwards, for some of the rows. "
    "Categories: the target to the right, as a box for each label, with its number of rows.",
    "": "Numbers: how many rows have them. Categories: the share of the rows.",
}
COLOURED_CLASSES = 5  # the most frequent ones; all others are drawn together, in grey


def summarize_rows(rows: pd.DataFrame, schema: Schema) -> str:
    """Return what was found, in a line."""
    ranking = rank_features(rows, schema)
    found = f"{' and '.join(ranking.index[:2])} go together with others most"
    if problem_of(schema).needs_target:
        found = f"{ranking.index[0]} tells most about {schema.target}"
    if ranking.iloc[0] < WEAK:
        found = "no feature alone tells much"
    gaps = rows[list(ranking.index)].isna().any().sum()
    missing = f"missing values in {gaps:,}" if gaps else "nothing is missing"
    return f"{len(rows):,} training rows, {counted(len(ranking), 'feature')}; {found}; {missing}"


def row_sections(rows: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the standard sections of rows, each made by a function of this module.

    Parameters
    ----------
    rows : DataFrame
        The features, and the target if there is one.
    schema
        Names the features and the target.

    Returns
    -------
    list of str
        HTML.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlsteps.preparation import Column, Schema
    >>> ages = [Column(name="age", kind="number")]
    >>> schema = Schema(problem="regression", target="pay", inputs=ages, features=ages, ignored=[])
    >>> rows = pd.DataFrame({"age": [20.0, 30.0, 40.0], "pay": [1.0, 2.0, 3.0]})
    >>> "<h3>Features against pay</h3>" in "".join(row_sections(rows, schema))
    True
    """
    described, sample = describe_columns(rows, schema), sample_rows(rows)
    return [
        show_overview(described, len(rows)),
        show_associations(sample, schema, described),
        show_features(sample, schema, described),
        show_correlations(sample, described),
        heading("Every feature"),
        table(described.assign(missing=described["missing"].map("{:.1%}".format))),
    ]


def show_overview(described: pd.DataFrame, rows: int) -> str:
    """Return the key figures, and whether the rest of the sections are about a sample."""
    kinds, missing = described["kind"].value_counts(), described["missing"].mean()
    plural = {"number": "Numbers", "category": "Categories", "date": "Dates", "text": "Texts"}
    figures = {
        "Training rows": rows,
        **{plural[kind]: int(count) for kind, count in kinds.items()},
        "Values missing": f"{missing:.1%}" if missing else "none",
        "Outliers (1.5 IQR)": int(described["outliers"].sum()),
    }
    sampled = (
        f"Plots, associations and correlations are made from a random sample of {SAMPLE_ROWS:,} of "
        f"the {rows:,} training rows; other numbers are of all."
    )
    return facts(figures) + (paragraph(sampled) if rows > SAMPLE_ROWS else "")


def show_associations(sample: pd.DataFrame, schema: Schema, described: pd.DataFrame) -> str:
    """Return the association of each feature with the target or, without one, with another."""
    shown, problem = described["association"].head(SHOWN_BARS), problem_of(schema)
    fig, axes = new_figure(height=0.5 + 0.2 * len(shown), grid="x")
    bars(axes, shown.index, shown.to_list(), [f"{value:.2f}" for value in shown])
    measure = "Cramér's V" if problem.target_kind == "category" else "Correlation ratio of ranks"
    caption = (
        f"{measure}, bias-corrected, with numbers cut at their deciles, "
        f"{'of' if problem.needs_target else 'with the closest other'} each feature alone; "
        f"0 is none, 1 the strongest.{_left_out(shown, described)}"
    )
    associations = figure(fig, caption, "Association")
    if not problem.needs_target:
        return heading("How the features go together") + associations
    target = sample[schema.target]
    colours = _colours(target, problem.target_kind)
    fig = plot_distribution(target, problem.target_kind, None, colours)
    distribution = figure(fig, f"{target.nunique():,} different values", "Distribution")
    return heading(f"The target, {target.name}") + columns(distribution, associations)


def show_features(sample: pd.DataFrame, schema: Schema, described: pd.DataFrame) -> str:
    """Return a plot of each feature, against the target if there is one, the strongest first."""
    problem, plots = problem_of(schema), []
    against = problem.target_kind if problem.needs_target else ""
    target = sample[schema.target] if against else None
    colours = _colours(target, against) if against else {}
    shown = described[described["distinct"] > 0].head(SHOWN_PLOTS)
    for name, line in shown.iterrows():
        fig = PLOTS[against](sample[name], line["kind"], target, colours)
        missing = f", {line['missing']:.1%} missing" if line["missing"] else ""
        plots.append(figure(fig, f"association {line['association']:.2f}{missing}", str(name)))
    title = f"Features against {schema.target}" if against else "Distributions"
    explained = f"Strongest association first.{_left_out(shown, described)} {EXPLAINED[against]}"
    return heading(title) + paragraph(explained) + legend(colours) + columns(*plots)


def show_correlations(sample: pd.DataFrame, described: pd.DataFrame) -> str:
    """Return the correlations of the numbers and dates that have the strongest association."""
    kinds = described["kind"][described["kind"].isin(["number", "date"])]
    numbers = pd.DataFrame({name: as_numbers(sample[name], kind) for name, kind in kinds.items()})
    correlations = correlate(numbers).iloc[:SHOWN_BARS, :SHOWN_BARS]
    if len(correlations) < 2:
        return ""
    caption = (
        "Spearman's rank correlation of numbers and dates, over the rows that have both. Blue: "
        "both rise together; orange: one falls as the other rises."
    )
    return heading("Correlations") + figure(plot_correlations(correlations), caption)


def _colours(target: pd.Series, kind: str) -> dict[str, str]:
    """Return what each colour of the plots against the target means."""
    if kind == "number":
        trend = f"median {target.name} in up to ten equal parts of the rows"
        return {"a training row": BLUE, trend: ORANGE}
    labels = target.value_counts().index
    colours = dict(zip(labels[:COLOURED_CLASSES], PALETTE, strict=False))
    return colours if len(labels) <= COLOURED_CLASSES else colours | {OTHERS: GREY}


def _left_out(shown: pd.Series | pd.DataFrame, described: pd.DataFrame) -> str:
    """Say that not all features are shown, where that is so."""
    few = len(shown) < len(described)
    return f" Shown are {len(shown)} of {len(described):,}." if few else ""
