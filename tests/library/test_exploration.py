"""Exploration: any training rows become a card, and what it says is true."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from mlsteps.exploration import explore, standard_sections
from mlsteps.exploration.measures import correlate, cramers_v, fences, group
from mlsteps.exploration.row_plots import plot_against_class, plot_against_number
from mlsteps.preparation.schema import Schema, read_schema
from mlsteps.problem.columns import convert, describe, infer
from mlsteps.variants import of_type

PROBLEM_TYPES = ["classification", "regression", "clustering"]
ROWS = 200


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def goal(problem_type):
    return of_type("problem", problem_type).Problem


@pytest.fixture
def target(goal, random):
    """A target that nothing is associated with: two classes, or a number."""
    return pd.Series(random.choice([1.0, 2.0], ROWS), name="y").pipe(convert, goal.target_kind)


@pytest.fixture
def card(problem_type, tmp_path):
    """Explore some training rows; return the summary and the card."""

    def make(features, target):
        kinds = {name: infer(features[name]) for name in features}
        rows = pd.DataFrame(
            {name: convert(features[name], k.kind, k.written) for name, k in kinds.items()}
        )
        columns = [describe(rows[name], k.kind, k.written) for name, k in kinds.items()]
        schema = Schema(
            problem=problem_type, target="y", inputs=columns, features=columns, ignored=[]
        )
        rows["y"] = target
        (tmp_path / "prepared").mkdir(exist_ok=True)
        rows.to_parquet(tmp_path / "prepared" / "train.parquet")
        text = schema.model_dump_json()
        (tmp_path / "prepared" / "schema.json").write_text(text, encoding="utf-8")
        folders = SimpleNamespace(prepared=tmp_path / "prepared", reports=tmp_path)
        summary = explore(folders, standard_sections)
        return summary, (tmp_path / "cards" / "4-explore.html").read_text(encoding="utf-8")

    return make


def test_the_card_of_the_project_shows_every_view(project):
    card = (project.reports / "cards" / "4-explore.html").read_text(encoding="utf-8")
    assert "Correlations" in card
    assert "Every feature" in card
    assert len(card) < 1_500_000


def test_every_kind_of_column_is_drawn(card, random, goal, target):
    features = pd.DataFrame(
        {
            "number": np.arange(ROWS) + random.normal(size=ROWS),
            "category": random.choice(list("abc"), ROWS),
            "date": pd.date_range("2020-01-01", periods=ROWS),
            "text": [" ".join(random.choice(list("abcdef"), 8)) for _ in range(ROWS)],
        }
    )
    features = features.mask(random.random(features.shape) < 0.1)
    summary, html = card(features, target)
    assert "200 training rows, 4 features" in summary
    assert "missing values in 4" in summary
    # The target and the associations, or these alone; each feature; the correlations.
    assert html.count("<svg") == (2 if goal.needs_target else 1) + 4 + 1


@pytest.mark.parametrize(
    "features",
    [
        {"constant": 1.0, "number": np.arange(ROWS) ** 0.5},
        {"constant": "same"},
        {"empty": np.nan},
        {"empty": np.nan, "number": np.arange(ROWS)},
        {"far": [*range(ROWS - 1), 1e12]},
        {"zeros": [0] * (ROWS - 3) + [1, 2, 1e9]},
        {"huge": np.linspace(-1e30, 1e30, ROWS)},
        {"id": [f"id{n}" for n in range(ROWS)]},
        {"<b>$x$ {y} 日本": np.arange(ROWS), "two\nlines": ["<i>", ""] * (ROWS // 2)},
        {"bool": [True, False] * (ROWS // 2)},
    ],
    ids="-".join,
)
def test_odd_columns_are_drawn(card, target, features):
    card(pd.DataFrame(features, index=range(ROWS)), target)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([True, False] * 50),
        pd.cut(pd.Series([*range(90), *[np.nan] * 10]), [0, 30, 100]),
    ],
    ids=["bool", "bins"],
)
def test_categories_that_a_feature_of_the_project_has_are_drawn(values):
    drawn = plot_against_number(values, "category", pd.Series(range(100)), None)
    labels = [text.get_text() for text in drawn.axes[0].get_yticklabels()]
    assert len(labels) == values.nunique(dropna=False)
    classes = pd.Series(["a", "b"] * 50)
    assert plot_against_class(values, "category", classes, {"a": "red", "b": "blue"}).axes


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_are_drawn(card, target, rows):
    features = pd.DataFrame({"x": np.arange(rows) * 1.5, "c": list("abc")[:rows]})
    card(features, target.head(rows))


def test_of_many_columns_the_strongest_are_shown(card, random, target):
    features = pd.DataFrame(random.normal(size=(ROWS, 60))).add_prefix("noise")
    features["telling"] = target.astype(float) + random.normal(scale=0.1, size=ROWS)
    features["same"] = features["telling"]
    summary, html = card(features, target)
    assert "; telling " in summary
    assert "Shown are 12 of 62." in html
    assert html.count('scope="row"') == 62  # the table has them all


def test_missing_values_are_a_group_of_their_own(random):
    values = pd.Series(random.normal(size=ROWS)).mask(random.random(ROWS) < 0.2)
    found = group(values, "number")
    assert len(set(found)) == 11
    assert len(set(found[values.isna()])) == 1


def test_outliers_are_found_by_the_rule_of_tukey():
    assert fences(pd.Series(range(1, 10))) == (-3.0, 13.0)
    assert fences(pd.Series([0, 0, 0, 0, 5])) == (-np.inf, np.inf)


def test_correlation_is_of_ranks_over_what_is_there():
    x = pd.Series(np.arange(50.0))
    numbers = pd.DataFrame({"x": x, "cube": x**3, "down": -x.mask(x < 10), "same": 1.0})
    correlations = correlate(numbers)
    assert list(correlations) == ["x", "cube", "down"]
    assert correlations.loc["x", "cube"] == pytest.approx(1)
    assert correlations.loc["x", "down"] == pytest.approx(-1)


def test_an_association_is_1_for_equal_groupings_and_0_by_chance(random):
    one, other = random.integers(0, 4, ROWS), random.integers(0, 4, ROWS)
    assert cramers_v(one, one) == pytest.approx(1)
    assert cramers_v(one, other) < 0.2


def test_the_sections_can_be_made_in_a_notebook(project):
    train = pd.read_parquet(project.prepared / "train.parquet")
    sections = standard_sections(train.head(50), read_schema(project.prepared / "schema.json"))
    assert "Every feature" in "".join(sections)


def test_the_same_rows_make_the_same_card(card, random, target):
    features = pd.DataFrame({"x": random.normal(size=ROWS), "z": random.normal(size=ROWS)})
    made = r'<p class="made">.*?</p>'
    first, again = (re.sub(made, "", card(features, target)[1]) for _ in range(2))
    assert first == again
