"""Exploration: any training rows become a card, and what it says is true."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from {{ cookiecutter.package_name }}.exploration.columns import fences
from {{ cookiecutter.package_name }}.exploration.correlation import (
    correlate,
    strongest_pairs,
)
from {{ cookiecutter.package_name }}.exploration.explore import explore
from {{ cookiecutter.package_name }}.exploration.missing import missing_patterns
from {{ cookiecutter.package_name }}.exploration.ranking import groups
from {{ cookiecutter.package_name }}.preparation.schema import Schema
from {{ cookiecutter.package_name }}.problem import (
    NEEDS_TARGET,
    TARGET_KIND,
    TYPE,
)
from {{ cookiecutter.package_name }}.problem.columns import (
    convert,
    describe,
    infer,
)

ROWS = 200


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def target(random):
    """A target that nothing tells about: two classes, or a quantity, as the project has it."""
    return pd.Series(random.choice([1.0, 2.0], ROWS), name="y").pipe(convert, TARGET_KIND)


@pytest.fixture
def card(tmp_path):
    """Explore some training rows; return the summary and the card."""

    def look(features, target):
        told = {name: infer(features[name]) for name in features}
        rows = pd.DataFrame(
            {name: convert(features[name], k.kind, k.date_format) for name, k in told.items()}
        )
        columns = [describe(rows[name], k.kind, k.date_format) for name, k in told.items()]
        schema = Schema(problem=TYPE, target="y", inputs=columns, features=columns, ignored=[])
        rows["y"] = target
        (tmp_path / "prepared").mkdir()
        rows.to_parquet(tmp_path / "prepared" / "train.parquet")
        text = schema.model_dump_json()
        (tmp_path / "prepared" / "schema.json").write_text(text, encoding="utf-8")
        summary = explore(SimpleNamespace(prepared=tmp_path / "prepared", reports=tmp_path))
        return summary, (tmp_path / "cards" / "4-explore.html").read_text(encoding="utf-8")

    return look


def test_the_card_of_the_project_shows_every_view(project):
    card = (project.reports / "cards" / "4-explore.html").read_text(encoding="utf-8")
    assert "Features alone" in card
    assert "Every feature" in card
    assert len(card) < 1_500_000


def test_every_kind_of_column_is_drawn(card, random, target):
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
    insights = 2 + 4 if NEEDS_TARGET else 3  # the target and what tells about it, or maps
    assert html.count("<svg") == insights + 4 + 2 + 2  # features, gaps, correlations


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


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_are_drawn(card, target, rows):
    features = pd.DataFrame({"x": np.arange(rows) * 1.5, "c": list("abc")[:rows]})
    card(features, target.head(rows))


def test_of_many_columns_the_telling_ones_are_shown(card, random, target):
    features = pd.DataFrame(random.normal(size=(ROWS, 60))).add_prefix("noise")
    features["telling"] = target.astype(float) + random.normal(scale=0.1, size=ROWS)
    features["same"] = features["telling"]
    summary, html = card(features, target)
    assert "; telling " in summary
    assert "Shown are 12 of 62." in html
    assert html.count('scope="row"') == 62  # the table has them all


def test_missing_values_are_a_group_of_their_own(random):
    values = pd.Series(random.normal(size=ROWS)).mask(random.random(ROWS) < 0.2)
    found = groups(values, "number")
    assert len(set(found)) == 11
    assert len(set(found[values.isna()])) == 1


def test_outliers_are_told_by_the_rule_of_tukey():
    assert fences(pd.Series(range(1, 10))) == (-3.0, 13.0)
    assert fences(pd.Series([0, 0, 0, 0, 5])) == (-np.inf, np.inf)


def test_correlation_is_of_ranks_over_what_is_there():
    x = pd.Series(np.arange(50.0))
    numbers = pd.DataFrame({"x": x, "cube": x**3, "down": -x.mask(x < 10), "same": 1.0})
    correlations = correlate(numbers)
    assert list(correlations) == ["x", "cube", "down"]
    assert correlations.loc["x", "cube"] == pytest.approx(1)
    assert correlations.loc["x", "down"] == pytest.approx(-1)
    assert [pair[:2] for pair in strongest_pairs(correlations, 1)] == [("x", "cube")]


def test_missing_patterns_are_counted():
    rows = pd.DataFrame({"a": [1, None, None, 1], "b": [1, None, None, None]})
    gaps, counts = missing_patterns(rows)
    assert gaps.tolist() == [[True, True], [False, False], [False, True]]
    assert counts.tolist() == [2, 1, 1]


def test_the_same_rows_make_the_same_card(card, tmp_path, random, target):
    features = pd.DataFrame({"x": random.normal(size=ROWS), "z": random.normal(size=ROWS)})
    made = r'<p class="made">.*?</p>'
    first = card(features, target)
    again = explore(SimpleNamespace(prepared=tmp_path / "prepared", reports=tmp_path))
    text = (tmp_path / "cards" / "4-explore.html").read_text(encoding="utf-8")
    assert again == first[0]
    assert re.sub(made, "", text) == re.sub(made, "", first[1])
