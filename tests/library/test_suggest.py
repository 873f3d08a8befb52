"""What `define --data` makes of a file: the type that fits, why, and how to change to it."""

import re

import numpy as np
import pandas as pd
import pytest
from mlsteps import UserError
from mlsteps.problem.project import open_project
from mlsteps.problem.suggest import suggest
from project import at, edit, project_toml, run_in

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
    "price": ("regression", {"clustering", "forecasting"}, '"price" is a number'),
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


@pytest.fixture
def look(tmp_path):
    """Let a new project of some type look at data; return its folder, and what `define` did."""

    def define(frame, target, problem_type):
        (tmp_path / "project.toml").write_text(project_toml(problem_type), encoding="utf-8")
        frame.to_csv(tmp_path / "mine.csv", index=False)
        named = ["--target", target] if target else []
        return at(tmp_path), run_in(tmp_path, "define", "--data", "mine.csv", *named)

    return define


def accepted(looked):
    """Return what `define` said, and the definition that it wrote."""
    project, done = looked
    assert done.exit_code == 0, done.output
    return done.output, open_project(project.root).definition


def refused(looked, problem_type):
    """Return the one sentence of a `define` that wrote nothing."""
    project, done = looked
    assert done.exit_code == 2, done.output
    written = (project.root / "project.toml").read_text(encoding="utf-8")
    assert written == project_toml(problem_type)
    (sentence,) = done.output.strip().splitlines()
    return sentence


def series_of(frequency, periods, start="2020-01-01"):
    """Return a series of random values at regular dates."""
    dates = pd.date_range(start, periods=periods, freq=frequency)
    values = np.random.default_rng(0).normal(100, 10, periods).round(2)
    return pd.DataFrame({"when": dates.strftime("%Y-%m-%d %H:%M:%S"), "load": values})


def test_what_asks_for_another_type_writes_nothing(look, table, sales, problem_type):
    frame, target = (sales, "sold") if problem_type == "classification" else (table, "price")
    if problem_type in ("regression", "clustering"):
        frame, target = table, "seen"
    if problem_type == "clustering":
        accepted(look(frame, target, problem_type))
    else:
        refused(look(frame, target, problem_type), problem_type)


def test_what_is_left_out_of_a_file_is_said(look, table):
    project, _ = look(table, "price", "regression")
    rows = (project.root / "mine.csv").read_text(encoding="utf-8").replace("\n", ",\n")
    (project.root / "mine.csv").write_text(f"Prices\n\n{rows}\nSource: us\n", encoding="utf-8")
    done = run_in(project.root, "define", "--data", "mine.csv", "--target", "price")
    said = 'line 1 "Prices", 1 empty column without a name, line 245 "Source: us"'
    assert done.output.startswith(f"mine.csv: left out {said}.")


def test_series_with_missing_dates_are_used(look):
    days = series_of("B", 300).drop(np.random.default_rng(1).choice(300, 9, replace=False))
    said, definition = accepted(look(days, "load", "forecasting"))
    assert definition.columns.date == "when"
    assert "on business days" in said
    assert "Without a value: 9 dates inside of the series" in said


def test_series_of_different_lengths_are_used_but_for_those_that_are_too_short(look):
    lengths = {"a": 120, "b": 100, "c": 90, "d": 70, "e": 20}
    each = [series_of("MS", n).assign(shop=shop) for shop, n in lengths.items()]
    said, definition = accepted(look(pd.concat(each), "load", "forecasting"))
    assert definition.columns.series == "shop"
    assert definition.problem.horizon == 12
    assert definition.preparation.short == "drop"
    assert 'Too short, so left out: 1 series, like "e"' in said


def test_two_columns_may_tell_series_apart(look):
    each = [
        series_of("D", 60).assign(shop=shop, article=article, price=price)
        for price, (shop, article) in enumerate([("n", "x"), ("n", "y"), ("s", "x"), ("s", "y")])
    ]
    _, definition = accepted(look(pd.concat(each).drop(columns="price"), "load", "forecasting"))
    assert definition.columns.series == ["shop", "article"]


def unusable():
    """Yield what is wrong with series, and what is said about it."""
    hours = series_of("h", 500)
    twice = pd.concat([hours, hours.iloc[[77]].assign(load=1.0)])
    yield "a repeated hour", twice, "2020-01-04T05:00:00 is .* and 1; correct it"
    days = series_of("D", 100).assign(when=lambda f: f["when"].str[:10])
    spoilt = days.assign(when=days["when"].where(days.index != 8, "soon"))
    yield "a date that is none", spoilt, r"\"when\" has 'soon' in row 9, but must be a date"
    european = pd.to_datetime(days["when"]).dt.strftime("%d/%m/%Y")
    spoilt = days.assign(when=european.where(days.index != 8, "32/01/2020"))
    yield "no day", spoilt, "'32/01/2020' in row 9, but must be a date .%d/%m/%Y"
    yield "no dates", days.drop(columns="when").assign(x=range(100)), "No column holds dates"
    several = pd.concat([days] * 3).assign(load=range(300))
    yield "no series", several, r"300 rows share .* in \[columns\] series"
    yield "too few", days.head(5), "has 5 periods"


@pytest.mark.parametrize("case", range(6), ids=[name for name, *_ in unusable()])
def test_what_is_wrong_with_series_is_said_and_the_type_stays(look, case):
    _, frame, message = list(unusable())[case]
    sentence = refused(look(frame, "load", "forecasting"), "forecasting")
    assert re.search(message, sentence)
    assert "copier update" not in sentence


@pytest.mark.parametrize(
    ("frequency", "periods", "horizon"),
    [
        *[("YS", 40, 3), ("QS", 60, 4), ("MS", 120, 12), ("W", 150, 8), ("D", 200, 14)],
        *[("B", 200, 10), ("h", 500, 24), ("15min", 500, 4), ("MS", 20, 4), ("D", 30, 7)],
    ],
)
def test_the_horizon_fits_the_frequency_and_the_history(look, frequency, periods, horizon):
    frame = series_of(frequency, periods)
    _, definition = accepted(look(frame, "load", "forecasting"))
    assert definition.problem.horizon == horizon


def test_it_is_asked_which_columns_are_known_ahead(look, sales):
    said, definition = accepted(look(sales, "sold", "forecasting"))
    assert 'Which columns are known for the dates to come, as holidays are: "price"?' in said
    assert definition.columns.unknown_at_prediction == ["price"]


@pytest.fixture
def houses():
    """Flats whose price is nearly their area, and what they cost for each square metre."""
    random = np.random.default_rng(0)
    area, rate = random.uniform(30, 200, ROWS).round(), random.lognormal(8, 0.5, ROWS)
    return pd.DataFrame(
        {
            "area": area,
            "rate": rate.round(2),
            "age": random.uniform(0, 90, ROWS).round(1),
            "price": (area * rate.round(2)).round(-1),
        }
    )


def test_a_column_that_tells_the_target_is_named_with_its_score_and_can_be_taken_back(look, houses):
    strong = houses.assign(price=100 * houses["area"] + houses["age"]).drop(columns="rate")
    said, definition = accepted(look(strong, "price", "regression"))
    assert definition.columns.unknown_at_prediction == ["area"]
    assert re.search(r'"area" predicts the target alone \(R² of ranks 0\.9\d+\)', said)
    assert 'take it out of [columns] unknown_at_prediction: "area".' in said


def test_a_column_that_tells_the_target_stays_where_it_is_the_only_one(look, houses):
    strong = houses.assign(price=100 * houses["area"] + houses["age"])[["area", "price"]]
    said, definition = accepted(look(strong, "price", "regression"))
    assert definition.columns.unknown_at_prediction == []
    assert definition.columns.kinds == {"area": "number"}
    assert "(R² of ranks 0.99" in said
    assert "it stays, as nothing else is left" in said


MADE = {
    "area × rate": lambda f: f["area"] * f["rate"],
    "rate / area": lambda f: f["rate"] / f["area"],
    "rate + age": lambda f: f["age"] + f["rate"] / 50,
    "area - age": lambda f: f["area"] - f["age"],
}


@pytest.mark.parametrize("made", MADE)
def test_two_columns_that_make_the_target_are_named(look, houses, made):
    one, sign, other = made.split()
    frame = houses.assign(rate=houses["rate"] / (50 if sign == "+" else 1))
    frame = frame.assign(price=MADE[made](houses).round(3)).sample(frac=1, random_state=0)
    frame.loc[frame.index % 10 == 0, "age"] = np.nan
    said, definition = accepted(look(frame, "price", "regression"))
    assert f'as "{one}" {sign} "{other}"' in said
    (aside,) = definition.columns.unknown_at_prediction
    assert aside in (one, other)


def test_columns_that_only_go_with_the_target_together_are_no_leak(look, houses):
    noise = np.random.default_rng(1).normal(0, 3, ROWS)
    frame = houses.assign(price=houses["area"] + houses["age"] + noise)
    _, definition = accepted(look(frame, "price", "regression"))
    assert definition.columns.unknown_at_prediction == []


NOT_A_TARGET = {
    "misspelt": ("pirce", 'did you mean "price"'),
    "one value": ("land", "is DE in every row, but a target is a label or a number"),
    "empty": ("later", "is empty, but a target is a label or a number"),
    "names": ("name", "holds 240 labels, but a target is a label or a number"),
    "strays": ("sum", "has 'see 7' in row 1 and 5 more rows, but must be a number"),
    "none named": ("", "name the column with --target"),
}


@pytest.mark.parametrize("case", NOT_A_TARGET)
def test_a_target_that_cannot_be_one_is_said_with_what_to_do(look, houses, case):
    target, message = NOT_A_TARGET[case]
    names = [f"n{k}" for k in range(ROWS)]
    strays = houses["price"].astype(str).where(houses.index % 40 > 0, "see 7")
    frame = houses.assign(land="DE", later=None, name=names, sum=strays)
    sentence = refused(look(frame, target, "regression"), "regression")
    assert message in sentence


def test_series_of_ones_own_go_from_define_to_a_forecast(look, sales):
    project, done = look(sales, "sold", "forecasting")
    assert done.exit_code == 0, done.output
    assert '"shop" tells the series apart' in done.output
    assert 'Not known ahead of time, so not used: "price".' in done.output
    edit(project, models={"candidates": ["ets"]}, search={"method": "none", "folds": 2})
    done = run_in(project.root, "run")
    assert done.exit_code in (0, 1), done.output
    assert 'Forecast "sold" of 2 series by "shop"' in done.output


def test_a_reason_does_not_outlive_what_it_was_given_for(own, table, problem_type):
    if problem_type != "classification":
        pytest.skip("one type says enough")
    first = table.assign(dose=[*["unknown"] * 9, *map(str, range(ROWS - 9))])
    second = table.drop(columns="seen").assign(state=np.arange(ROWS) % 3)
    path = own.root / "project.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('target = "status"', 'target = "status"  # of a loan'), "utf-8")
    for frame in (first, second):
        frame.to_csv(own.root / "mine.csv", index=False)
        defined = run_in(own.root, "define", "--data", "mine.csv", "--target", "state")
        assert defined.exit_code == 0, defined.output
        written = path.read_text(encoding="utf-8")
        assert "of a loan" not in written
        reasons = ("positives are rare", "the only date", 'among the numbers of "dose"')
        assert [reason in written for reason in reasons] == [frame is first] * 3
