"""What `define --data` makes of a file: the type that fits, why, and how to change to it."""

import numpy as np
import pandas as pd
import pytest
from mlsteps import UserError
from mlsteps.problem.suggest import suggest
from project import run_in

PROBLEM_TYPES = ["classification", "regression", "clustering", "anomaly_detection", "forecasting"]
ROWS = 240


@pytest.fixture
def table():
    """Rows with a label, a rare label, a number, and dates without order."""
    random = np.random.default_rng(0)
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 200, ROWS), unit="D")
    return pd.DataFrame(
        {
            "seen": days.strftime("%Y-%m-%d"),
            "heat": random.normal(size=ROWS),
            "colour": random.choice(["red", "blue"], ROWS),
            "state": np.where(np.arange(ROWS) % 20, "fine", "broken"),
            "price": random.normal(100, 10, size=ROWS),
        }
    )


@pytest.fixture
def sales():
    """Two series of ten years of months, with a price that nobody may know ahead."""
    random = np.random.default_rng(0)
    months = pd.date_range("2016-01-01", periods=ROWS // 2, freq="MS")
    season = 10 * np.sin(2 * np.pi * months.month / 12)
    each = [
        pd.DataFrame(
            {
                "month": months.strftime("%Y-%m-%d"),
                "shop": shop,
                "sold": (base + season + random.normal(size=len(months))).round(3),
                "price": random.normal(5, 1, len(months)).round(3),
            }
        )
        for shop, base in (("north", 100), ("south", 60))
    ]
    return pd.concat(each, ignore_index=True)


# For the target of each table: the type that is named first, others that fit, and why.
FITTING = {
    "colour": ("classification", {"anomaly_detection", "clustering"}, '"colour" holds 2 labels'),
    "state": ("classification", {"anomaly_detection", "clustering"}, '"state" holds 2 labels'),
    "price": ("regression", {"clustering"}, "is a number with 240 different values"),
}


@pytest.mark.parametrize("target", FITTING)
def test_a_target_tells_the_type_and_why(table, target, problem_type):
    named, others, why = FITTING[target]
    if problem_type in {named, *others}:
        kind, reason = suggest(table, target, problem_type).problem["type"]
        assert kind == problem_type
        assert why in reason or "is only compared with the clusters" in reason
    else:
        with pytest.raises(UserError) as raised:
            suggest(table, target, problem_type)
        message = raised.value.message
        assert why in message
        assert f"so this is {named}, but the project holds the code for {problem_type}" in message
        assert f"`copier update --data problem_type={named}`" in message


def test_a_date_and_a_number_that_repeats_by_period_is_a_forecast(sales, problem_type):
    why = 'is a number, there once for each "shop" for each of 120 regular dates "month"'
    if problem_type in ("classification", "anomaly_detection"):
        with pytest.raises(UserError, match="so this is forecasting") as raised:
            suggest(sales, "sold", problem_type)
        assert why in str(raised.value)
    elif problem_type != "clustering":
        assert why in suggest(sales, "sold", problem_type).problem["type"][1]


def test_without_a_target_rows_are_grouped_or_flagged(table, problem_type):
    if problem_type in ("clustering", "anomaly_detection"):
        reason = suggest(table, "", problem_type).problem["type"][1]
        assert reason == "there is no column to predict"
    else:
        with pytest.raises(UserError, match="name the column with --target"):
            suggest(table, "", problem_type)


def test_what_asks_for_another_type_writes_nothing(own, table, sales, problem_type):
    frame, target = (sales, "sold") if problem_type == "classification" else (table, "price")
    if problem_type in ("regression", "clustering"):
        frame, target = table, "seen"
    frame.to_csv(own.root / "mine.csv", index=False)
    before = (own.root / "project.toml").read_bytes()
    failed = run_in(own.root, "define", "--data", "mine.csv", "--target", target)
    if problem_type == "clustering":
        assert failed.exit_code == 0, failed.output
        return
    assert failed.exit_code == 2
    assert (own.root / "project.toml").read_bytes() == before


def test_series_of_ones_own_go_from_define_to_a_forecast(own, sales, problem_type):
    if problem_type != "forecasting":
        pytest.skip("series are for forecasting")
    sales.to_csv(own.root / "sales.csv", index=False)
    defined = run_in(own.root, "define", "--data", "sales.csv", "--target", "sold")
    assert defined.exit_code == 0, defined.output
    assert '"shop" is the column that tells the series apart' in defined.output
    assert 'Not known ahead of time, so not used: "price".' in defined.output
    done = run_in(own.root, "run")
    assert done.exit_code in (0, 1), done.output
    assert 'Forecast "sold" of 2 series by "shop"' in done.output
