"""Cleaning, the split and the encoder: nothing is learnt from test rows."""

import numpy as np
import pandas as pd
import pytest
from conftest import run_in

from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.preparation import derive
from {{ cookiecutter.package_name }}.preparation.encoder import build_encoder
from {{ cookiecutter.package_name }}.preparation.prepare import clean
from {{ cookiecutter.package_name }}.preparation.schema import read_schema
from {{ cookiecutter.package_name }}.preparation.split import (
    DATE,
    GROUP,
    KEY,
    cut_folds,
    take_test,
)
from {{ cookiecutter.package_name }}.problem.columns import Column
from {{ cookiecutter.package_name }}.problem.settings import Preparation

ALL = 200


@pytest.fixture
def raw():
    """Rows with a date, a group and a target that both problem types can learn."""
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": generator.normal(size=ALL),
            "who": np.repeat([f"p{k}" for k in range(ALL // 5)], 5),
            "day": pd.date_range("2026-01-01", periods=ALL).astype(str)[::-1],
            "y": generator.integers(0, 2, ALL),
        }
    )


def split(raw, definition):
    rows = clean(raw, definition).rows
    return rows, take_test(rows, definition, np.ones(len(rows), bool))


def test_repeated_rows_and_rows_without_target_are_left_out_and_counted(raw, define):
    raw.loc[3, "y"] = None
    cleaned = clean(pd.concat([raw, raw.head(3)], ignore_index=True), define())
    assert (cleaned.duplicates, cleaned.without_target) == (3, 1)
    assert len(cleaned.rows) == ALL - 1


def test_dated_rows_are_split_by_date_and_the_newest_are_tested(raw, define):
    definition = define(columns={"date": "day"})
    rows, test = split(raw, definition)
    assert rows.loc[test, DATE].min() > rows.loc[~test, DATE].max()
    assert test.mean() == pytest.approx(0.2, abs=0.01)


def test_folds_of_dated_rows_are_tested_on_what_came_later(raw, define):
    definition = define(columns={"date": "day"})
    rows = clean(raw, definition).rows.sort_values(DATE)
    for inside, outside in cut_folds(rows, definition):
        assert rows[DATE].iloc[inside].max() < rows[DATE].iloc[outside].min()


def test_a_group_is_never_on_both_sides(raw, define):
    definition = define(columns={"group": "who"})
    rows, test = split(raw, definition)
    assert not set(rows.loc[test, GROUP]) & set(rows.loc[~test, GROUP])
    for inside, outside in cut_folds(rows, definition):
        assert not set(rows[GROUP].iloc[inside]) & set(rows[GROUP].iloc[outside])


def test_the_split_can_be_random_though_there_is_a_date(raw, define):
    definition = define(columns={"date": "day"}, split={"by": "random"})
    rows, test = split(raw, definition)
    assert rows.loc[test, DATE].min() < rows.loc[~test, DATE].max()


def test_rows_that_a_champion_has_learnt_from_are_not_tested(raw, define):
    definition = define()
    rows, test = split(raw, definition)
    learnt = set(rows.loc[~test, KEY])
    more = pd.concat([raw, raw.assign(x=raw["x"] + 10)], ignore_index=True)
    rows = clean(more, definition).rows
    again = take_test(rows, definition, ~rows[KEY].isin(learnt).to_numpy())
    assert again.any()
    assert not learnt & set(rows.loc[again, KEY])


@pytest.mark.parametrize("rows", [1, 2])
def test_too_few_rows_to_split_are_refused(raw, define, rows):
    with pytest.raises(UserError, match="add rows"):
        split(raw.head(rows), define(split={"by": "random"}))


def test_what_is_not_known_at_prediction_time_is_no_feature(project):
    schema = read_schema(project.prepared / "schema.json")
    left_out = {schema.target, *project.definition.columns.not_features()}
    assert left_out <= set(schema.ignored)
    assert not left_out & {column.name for column in schema.features}


def test_the_encoder_takes_missing_rare_and_unseen_values():
    features = [
        Column(name="n", kind="number"),
        Column(name="c", kind="category"),
        Column(name="d", kind="date"),
        Column(name="t", kind="text"),
    ]
    train = pd.DataFrame(
        {
            "n": [1.0, 2.0, np.nan, 3.0] * 25,
            "c": pd.Series(["a"] * 60 + ["b"] * 39 + ["rare"], dtype="str"),
            "d": pd.to_datetime(["2026-01-31", None, "2026-03-01", "2027-01-01"] * 25),
            "t": pd.Series(["good red wine", None, "stale beer", "red beer"] * 25, dtype="str"),
        }
    )
    encoder = build_encoder(features, Preparation(rare_share=0.02), seed=0).fit(train)
    new = train.head(2).assign(c=pd.Series(["never seen", None], dtype="str"), n=[np.nan, 1e9])
    encoded = encoder.transform(new)
    assert np.isfinite(encoded).all()
    rare = encoder.transform(train.tail(1).assign(**new.drop(columns="c").iloc[0]))
    assert encoded[0] == pytest.approx(rare[0])  # unseen is treated as rare


@pytest.mark.parametrize("scaling", ["standard", "min-max", "none"])
def test_scaling_and_clipping_learn_from_training_rows_only(scaling):
    features = [Column(name="n", kind="number")]
    train = pd.DataFrame({"n": np.arange(101.0)})
    settings = Preparation(scaling=scaling, clip_share=0.1)
    encoder = build_encoder(features, settings, seed=0).fit(train)
    low, high, beyond = encoder.transform(pd.DataFrame({"n": [10.0, 90.0, 1e6]}))[:, 0]
    assert beyond == high
    assert (low, high) == pytest.approx(
        {"standard": (-40 / 27.6, 40 / 27.6), "min-max": (0, 1), "none": (10, 90)}[scaling],
        abs=0.2,
    )


def test_a_mistake_in_add_features_is_one_sentence(own, monkeypatch):
    def mistaken(frame):
        return frame.assign(new=frame["no such column"])

    monkeypatch.setattr(derive, "add_features", mistaken)
    failed = run_in(own.root, "prepare", "--force")
    assert failed.exit_code == 2
    assert "add_features in preparation/features.py fails (KeyError" in failed.output


def test_features_of_ones_own_reach_the_model(own, monkeypatch):
    def more(frame):
        return frame.assign(missing_values=frame.isna().sum(axis="columns").astype(float))

    monkeypatch.setattr(derive, "add_features", more)
    assert run_in(own.root, "run", "--force").exit_code == 0
    schema = read_schema(own.prepared / "schema.json")
    assert "missing_values" in {column.name for column in schema.features}
    assert "missing_values" not in {column.name for column in schema.inputs}
