"""Numbers as people write them mean the same in training, in files to score and in requests."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from mlsteps.collection.labelled import join
from mlsteps.problem.suggest import suggest
from project import at, edit, load, project_toml, run_in
from served import running

N = 300
PROBLEM_TYPES = ["regression"]


def numbers():
    """Rows as a program has them."""
    random = np.random.default_rng(0)
    area = random.uniform(20, 150, N).round(1)
    rows = pd.DataFrame(
        {
            "area": area,
            "fee": (area * 40 + random.normal(0, 400, N)).round(2),
            "distance": random.integers(500, 30_000, N),
            "share": random.uniform(0, 100, N).round(1),
            "trip": random.integers(30, 9_000, N) * 60,
            "heat": random.uniform(-10, 40, N).round(1),
        }
    )
    noise = random.normal(0, 10, N)
    rows["price"] = (rows["area"] * 20 + rows["distance"] / 50 - rows["trip"] / 1e3 + noise).round()
    rows.loc[::25, "fee"] = np.nan
    return rows


def decimal(value, places):
    """Write a number as in Germany."""
    return f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))


GERMAN = {
    "area": lambda value: f"{decimal(value, 1)} m²",
    "fee": lambda value: "auf Anfrage" if np.isnan(value) else f"{decimal(value, 2)} €",
    "distance": lambda value: decimal(value, 0),
    "share": lambda value: f"{decimal(value, 1)}%",
    "trip": lambda value: f"{value // 3600}:{value // 60 % 60:02}",
    "heat": lambda value: decimal(value, 1),
    "price": lambda value: decimal(value, 0),
}


def german(rows):
    """Write rows as a German spreadsheet does."""
    return pd.DataFrame({name: rows[name].map(GERMAN[name]) for name in rows})


def to_csv(rows, path):
    german(rows).to_csv(path, sep=";", index=False)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project of a German file: what `define` and `run` said, and where it is."""
    root = tmp_path_factory.mktemp("numbers") / "own"
    root.mkdir()
    (root / "project.toml").write_text(project_toml("regression"), encoding="utf-8")
    to_csv(numbers(), root / "rows.csv")
    edit(
        at(root),
        models={"candidates": ["ridge"]},
        search={"method": "none", "folds": 3},
        constraints={"predict_milliseconds": 10_000},
    )
    defined = run_in(root, "define", "--data", root / "rows.csv", "--target", "price")
    assert defined.exit_code == 0, defined.output
    project = edit(at(root), problem={"minimum": 1e9})
    done = run_in(root, "run")
    assert done.exit_code == 0, done.output
    return project, defined.output, done.output


@pytest.fixture
def predict(made, tmp_path):
    """Score a file that `write` makes of rows; return the predictions, and what was said."""
    project, *_ = made

    def score(name, write, rows):
        write(rows, tmp_path / name)
        done = run_in(project.root, "predict", tmp_path / name, tmp_path / "out.jsonl")
        assert done.exit_code == 0, done.output
        lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["prediction"] for line in lines], done.output

    return score


def expected(project, rows):
    return pytest.approx(load(project).predict(rows)["prediction"].to_numpy(), rel=1e-9)


def test_units_are_taken_off_and_kept_in_the_schema(made):
    project, defined, _ = made
    text = (project.root / "project.toml").read_text(encoding="utf-8")
    assert '"fee" holds numbers, "€" taken off' in defined
    assert '"trip" holds durations, as seconds.' in defined
    assert '"auf Anfrage" counts as missing: it stands among the numbers of "fee"' in defined
    assert 'fee = "number" # holds numbers, "€" taken off' in text
    assert 'trip = "number" # holds durations, as seconds' in text
    schema = load(project).schema
    units = {column.name: column.unit for column in schema.inputs}
    assert units == {
        "area": "m²",
        "fee": "€",
        "distance": "",
        "share": "%",
        "trip": "seconds",
        "heat": "",
    }
    assert {column.kind for column in schema.inputs} == {"number"}
    assert "taken off" in (project.reports / "cards/3-prepare.html").read_text(encoding="utf-8")
    ranges = {column.name: column.maximum for column in schema.inputs}
    assert ranges["distance"] == pytest.approx(numbers()["distance"].max(), rel=0.1)
    assert ranges["trip"] > 100_000


def test_a_file_without_any_decimals_means_what_it_meant_in_training(made, predict):
    rows = numbers().drop(columns="fee").head(20).assign(area=30, share=5, heat=20)
    found, said = predict("in.csv", to_csv, rows)
    assert found == expected(made[0], rows)
    assert "decimal" not in said


def test_a_file_that_shows_another_decimal_sign_is_read_as_it_is_written(made, predict):
    rows = numbers().head(20)
    found, said = predict("in.csv", lambda r, path: r.to_csv(path, index=False), rows)
    assert found == expected(made[0], rows)
    assert "in.csv has decimal points, not decimal commas; it is read so." in said


def test_texts_of_another_format_mean_the_same(made, predict):
    rows = numbers().head(20)
    found, _ = predict(
        "in.jsonl",
        lambda r, path: german(r).to_json(path, orient="records", lines=True),
        rows.drop(columns="price"),
    )
    assert found == expected(made[0], rows)


def test_numbers_of_parquet_mean_what_texts_meant_in_training(made, predict):
    rows = numbers().head(20).assign(heat=lambda r: r["heat"].astype("float16").astype(float))
    found, _ = predict(
        "in.parquet",
        lambda r, path: r.assign(
            heat=r["heat"].astype("float16"),
            area=r["area"].map(lambda value: Decimal(str(value))),
            trip=pd.to_timedelta(r["trip"], unit="s"),
            distance=r["distance"].astype("Int16"),
            share=r["share"].astype("category"),
        ).to_parquet(path),
        rows,
    )
    assert found == expected(made[0], rows)


def test_the_output_is_written_as_the_file_that_was_scored(made, tmp_path):
    path = tmp_path / "in.csv"
    german(numbers()).to_csv(path, sep=";", index=False, encoding="cp1252")
    assert run_in(made[0].root, "predict", path, tmp_path / "out.csv").exit_code == 0
    scored = pd.read_csv(tmp_path / "out.csv", sep=";", decimal=",", encoding="cp1252")
    assert scored["prediction"].dtype == float
    assert scored["heat"].tolist() == numbers()["heat"].tolist()
    assert scored["fee"][0] == "auf Anfrage" or pd.isna(scored["fee"][0])
    assert scored["area"][1] == german(numbers())["area"][1]


def test_requests_hold_plain_numbers_or_texts_with_the_unit(made):
    rows = numbers().drop(columns="price").iloc[1:4]
    plain, texts = (frame.to_dict("records") for frame in (rows, german(rows)))
    with running(made[0]) as service:
        answers = [service.client.post("/predict", json={"rows": r}).json() for r in (plain, texts)]
        wrong = service.client.post("/predict", json={"rows": [{**texts[0], "area": "big"}]})
    found = [[each["prediction"] for each in answer["predictions"]] for answer in answers]
    assert found[0] == found[1] == expected(made[0], rows)
    assert "must be a number, got 'big'" in wrong.text


def test_rows_that_come_back_are_written_as_those_of_the_file(made):
    collected = german(numbers())
    back = numbers().tail(2).assign(area=[33.125, 44.0])
    rows = join(collected, back, own=[])
    assert rows["area"].tail(2).tolist() == ["33,125m²", "44m²"]
    assert rows["distance"].tail(1).tolist() == [str(back["distance"].iloc[1])]


@pytest.fixture
def fresh(tmp_path):
    """Run a command in a project that was not told of its data, and return what it says."""
    (tmp_path / "project.toml").write_text(project_toml("regression"), encoding="utf-8")

    def run(path, *arguments, **data):
        columns = {"date": "", "kinds": {}, "unknown_at_prediction": []}
        edit(
            at(tmp_path),
            problem={"target": "price"},
            data={"path": str(path), **data},
            columns=columns,
        )
        done = run_in(tmp_path, *arguments)
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_a_file_that_leaves_its_decimal_sign_open_says_so(fresh, tmp_path):
    (tmp_path / "open.csv").write_text("price;name\n1.234;a\n12.500;b\n", encoding="utf-8")
    said = fresh("open.csv", "collect")
    assert 'has "1.234" in "price", which is read as 1.234; set [data] decimal = ","' in said
    said = fresh("open.csv", "collect", decimal=",")
    assert "1.234" not in said
    assert pd.read_parquet(tmp_path / "data/raw/data.parquet")["price"].tolist() == [1234, 12500]


OPEN = {  # numbers between commas or semicolons, how they are read, and whether that is said
    "commas in all numbers": ('price,name\n"1,234",a\n"12,500",b\n', [1234, 12500], True),
    "some without a comma": ('price,name\n"1,234",a\n950,b\n', [1234, 950], False),
    "points between commas": ("price,name\n1.234,a\n12.500,b\n", [1.234, 12.5], False),
    "some without a point": ("price;name\n1.234;a\n950;b\n", [1234, 950], True),
}


@pytest.mark.parametrize("case", OPEN)
def test_a_sign_is_in_doubt_only_where_it_may_be_either(fresh, tmp_path, case):
    content, values, doubt = OPEN[case]
    (tmp_path / "open.csv").write_text(content, encoding="utf-8")
    said = fresh("open.csv", "collect")
    assert ("which is read as" in said) == doubt
    stored = tmp_path / "data/raw/data.parquet"
    assert pd.read_parquet(stored)["price"].tolist() == values
    if doubt:
        sign = said.split('[data] decimal = "')[1][0]
        assert "read as" not in fresh("open.csv", "collect", decimal=sign)
        assert pd.read_parquet(stored)["price"][0] == 1.234


def test_marks_among_numbers_are_named_where_nothing_defines_them(fresh, tmp_path):
    path = to_csv(numbers(), tmp_path / "rows.csv")
    mark = '"auf Anfrage" counts as missing: it stands among the numbers of "fee"'
    assert f"{mark} in 12 rows, once [data] missing names it." in fresh(path, "define")
    assert mark not in fresh(path, "define", missing=["auf Anfrage"])


def test_a_label_can_be_kept_that_usually_means_missing(fresh, tmp_path):
    rows = numbers().assign(country=["NA", "DE", "N/A"] * (N // 3))
    rows.to_csv(tmp_path / "rows.csv", index=False)
    for step in ("collect", "prepare"):
        fresh("rows.csv", step, keep=["NA"])
    schema = json.loads((tmp_path / "data/prepared/schema.json").read_text(encoding="utf-8"))
    country = next(column for column in schema["inputs"] if column["name"] == "country")
    assert sorted(country["categories"]) == ["DE", "NA"]


def test_all_kinds_of_numbers_of_a_parquet_file_are_read(fresh, tmp_path):
    rows = numbers()
    rows = rows.assign(
        half=rows["heat"].astype("float16"),
        exact=rows["area"].map(lambda value: Decimal(str(value))),
        gaps=rows["distance"].astype("Int32").where(rows["heat"] > 0),
        trip=pd.to_timedelta(rows["trip"], unit="s"),
        level=(rows["distance"] % 3).astype("category"),
        code=(rows["distance"] % 3).map("c{}".format).astype("category"),
    )
    rows.to_parquet(tmp_path / "rows.parquet")
    for step in ("collect", "prepare"):
        fresh("rows.parquet", step, missing=["c2"])
    schema = json.loads((tmp_path / "data/prepared/schema.json").read_text(encoding="utf-8"))
    columns = {column["name"]: column for column in schema["inputs"]}
    labels = {name for name, column in columns.items() if column["kind"] == "category"}
    assert labels == {"code"}
    assert sorted(columns["code"]["categories"]) == ["c0", "c1"]
    assert columns["trip"]["unit"] == "seconds"
    assert columns["trip"]["maximum"] > 100_000


WRITTEN = {
    "money": (["$1,547.82", "($80.31)", "$12.00"], [1547.82, -80.31, 12.0]),
    "narrow spaces": (["46\u202f434,73 €", "12,00 €", "-5,50 €"], [46434.73, 12.0, -5.5]),
    "per cent": (["15.4%", "0.5%", "100%"], [15.4, 0.5, 100.0]),
    "code of money": (["CHF 1'200.50", "CHF 12.00", "CHF 5.25"], [1200.5, 12.0, 5.25]),
    "kroner": (["1 234,50 kr", "99,00 kr", "5,25 kr"], [1234.5, 99.0, 5.25]),
    "a minus behind": (["1.234,50-", "99,00", "12,00-"], [-1234.5, 99.0, -12.0]),
    "powers of ten": (["1,5e-05", "2,25", "-1,0E2"], [1.5e-05, 2.25, -100.0]),
    "degrees": (["55.3°C", "-4.0°C", "0.5°C"], [55.3, -4.0, 0.5]),
    "lakhs": (["₹12,34,567.50", "₹1,00,000.00", "₹500.25"], [1234567.5, 100000.0, 500.25]),
    "times": (["1:30:00", "00:45", "100:00"], [5400.0, 2700.0, 360000.0]),
    "days": (["2 days 03:00:00", "0 days 00:00:10", "1 day 00:00:00"], [183600.0, 10.0, 86400.0]),
    "parts": (["1h 30min", "45 min", "2 h"], [5400.0, 2700.0, 7200.0]),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_texts_of_numbers_become_numbers(case):
    texts, values = WRITTEN[case]
    found = suggest(table(texts), "y", "regression")
    assert found.kinds["x"].kind == "number"
    assert found.frame["x"].head(3).tolist() == pytest.approx(values)


LABELS = {
    "codes": (["A12", "B7", "C3"], "labels"),
    "codes that end with a letter": (["12B", "13B", "14B"], "labels"),
    "open ends": (["5", "7", "8", "9", "11", "10+"], 'and "10+"'),
    "few": (["2 doors", "4 doors", "5 doors"], 'numbers with "doors"'),
    "few, with two words": (["2 room flat", "4 room flat"], 'numbers with "room flat"'),
    "phone numbers that begin with 0": (["0171 123 45 67", "0172 7654"], "begin with 0"),
    "several units": (["3 kg", "7 lb", "5 kg"], 'different units: "kg", "lb"'),
    "sizes": (["size 7", "size 8", "size 9"], "labels"),
    "versions": (["1.2.3", "1.10.0", "2.0.1"], "labels"),
    "addresses": (["192.168.100.200", "10.0.0.1", "10.0.0.2"], "labels"),
    "postcodes": (["01067", "10115", "80331"], "begin with 0"),
    "phone numbers": (["555 123 456", "612 345 678", "555 987 654"], "phone numbers"),
    "marks with a minus": (["1", "2-", "3-"], "labels"),
    "more digits than a number has": (["9" * 19 + "1", "9" * 19 + "2"], "many digits"),
    "ordinals": (["1st", "2nd", "3rd"], "different units"),
}


@pytest.mark.parametrize("case", LABELS)
def test_what_only_looks_like_numbers_stays_a_label(case):
    texts, why = LABELS[case]
    found = suggest(table(texts), "y", "regression").kinds["x"]
    assert found.kind == "category"
    assert why in found.reason


def test_numbers_that_stay_labels_are_said_with_what_stands_among_them():
    for texts, why in {
        ("1.5", "2", "3.5", "75+"): 'and "75+" in 20 rows: labels, unless [data] missing names',
        ("1.5", "2", "3.5", "n.d."): 'and "n.d." in 20 rows: labels, unless [data] missing names',
    }.items():
        found = suggest(table([*texts]), "y", "regression")
        assert found.kinds["x"].kind == "category"
        assert any(why in sentence for sentence in found.sentences())
    rows = table([f"{1000 + k},5 g" if k % 3 else f"{k},25 kg" for k in range(60)]).head(60)
    assert '"x" holds numbers with different units: "g", "kg"; it has 60 labels' in " ".join(
        suggest(rows, "y", "regression").sentences()
    )


def table(texts):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {"x": texts * 20, **{name: random.normal(size=20 * len(texts)) for name in "zy"}}
    )
