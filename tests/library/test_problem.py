"""What is wrong with a definition is said in a sentence; a definition can be suggested."""

import sys

import numpy as np
import pandas as pd
import pytest
import tomlkit
from mlsteps import UserError
from mlsteps.collection import open_source
from mlsteps.preparation import prepare, take_test
from mlsteps.problem import Project
from mlsteps.problem.check import check
from mlsteps.problem.check import define as define_step
from mlsteps.problem.definition import check_definition, read_definition
from mlsteps.problem.suggest import suggest, write_suggestion
from mlsteps.variants import of_type

PROBLEM_TYPES = ["classification", "regression", "clustering", "anomaly_detection"]
N = 400


@pytest.fixture
def goal(problem_type):
    """What `[problem]` is of this type."""
    return of_type("problem", problem_type).Problem


@pytest.fixture
def frame(goal):
    """Rows as people have them: codes, dates, gaps, strays, repetitions and a column that leaks."""
    random, classes = np.random.default_rng(0), goal.target_kind == "category"
    plan = random.choice(["basic", "plus", "pro"], N)
    score = (plan == "pro") + random.normal(size=N)
    y = np.where(score > 0.8, "yes", "no") if classes else np.exp(score).round(3)
    after = np.where(score > 0.8, "2026-05-05", None) if classes else np.exp(score) * 1.19
    age = random.integers(18, 90, N).astype(str)
    return pd.DataFrame(
        {
            "customer_id": np.arange(1000, 1000 + N),
            "joined": pd.date_range("2025-01-01", periods=N).strftime("%d/%m/%Y"),
            "born": pd.Timestamp("1960-01-01") + pd.to_timedelta(random.integers(0, 9999, N), "D"),
            "age": np.where(random.random(N) < 0.05, "unknown", age),
            "visits": np.where(random.random(N) < 0.05, "60+", age),
            "zip": random.choice(["01067", "10115"], N),
            "plan": plan,
            "plan code": pd.Series(plan).map({"basic": "B", "plus": "L", "pro": "P"}),
            "country": "DE",
            "fax": np.where(random.random(N) < 0.9, None, "yes"),
            "income": np.where(random.random(N) < 0.1, np.nan, random.lognormal(10, 1, N)),
            "after": after,
            "y": y,
        }
    ).infer_objects()


def test_the_problem_is_said_in_plain_words(define, frame, goal, tmp_path):
    columns = {"id": ["customer_id"], "date": "joined", "unknown_at_prediction": ["after"]}
    text = define_step(Project(tmp_path, define(columns=columns)), frame, {})
    first, split, *others = text.splitlines()
    assert f"{10 if goal.needs_target else 9} columns" in first
    assert "400 rows" in first
    assert split == 'Test on the newest 20% of the rows by "joined" (2025-01-01 to 2026-02-04).'
    assert others[-1] == 'Not known at prediction time, so not used: "after".'
    card = (tmp_path / "reports/cards/1-define.html").read_text(encoding="utf-8")
    assert "unknown at prediction" in card


def test_the_rows_that_are_learnt_from_are_counted(define, frame, goal):
    frame = pd.concat([frame, frame.head(9)], ignore_index=True)
    if goal.needs_target:
        frame.loc[[30, 40], "y"] = None
    columns = {"id": ["customer_id"], "date": "joined"}
    first, split, *others = check(define(columns=columns), frame, {}).sentences
    assert ("398 rows" if goal.needs_target else "400 rows") in first
    assert "Equal to another, so not used: 9 rows." in others
    assert goal.needs_target == ("Without a target, so not used: 2 rows." in others)
    few = {"columns": columns, "split": {"newest_rows": 300}}
    first, split, *others = check(define(**few), frame, {}).sentences
    assert "300 rows" in first
    assert "(2025-04-11 to 2026-02-04)" in split
    assert [note for note in others if "Older than the newest, so not used" in note]
    without_id = check(define(columns={"drop": ["customer_id"]}), frame, {}).sentences
    count = "407 rows" if goal.needs_target else "409 rows"
    assert count in without_id[0], "nothing says that equal rows are one"


WRONG = {
    "target": ({"problem": {"target": "Y "}}, r'"Y ", a column .* did you mean "y"\?'),
    "drop": ({"columns": {"drop": ["plam"]}}, r'drop names "plam", .* did you mean "plan"\?'),
    "date": ({"columns": {"date": "plan"}}, r"\[columns\] date: .* must be a date"),
    "group": ({"columns": {"group": "zip"}}, r'group "zip" has 2 groups; more than .* = 5'),
    "kind": ({"columns": {"kinds": {"plan": "number"}}}, r"kinds\]: .* must be a number"),
    "slices": ({"evaluation": {"slices": ["x"]}}, r'slices names "x"'),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_the_data_is_named(define, frame, case):
    changes, expected = WRONG[case]
    with pytest.raises(UserError, match=expected):
        check(define(**changes), frame, {})


def days(form="%Y-%m-%d"):
    return (
        pd.date_range("2023-01-01", periods=N, freq="33h").strftime(form).to_series(index=range(N))
    )


DATES = {
    "month first, with am and pm": (days("%m/%d/%Y %I:%M %p"), "%m/%d/%Y %I:%M %p"),
    "points between the parts": (days("%d.%m.%Y"), "%d.%m.%Y"),
    "points, and two digits of the year": (days("%d.%m.%y"), "%d.%m.%y"),
    "two digits of the year": (days("%d/%m/%y"), "%d/%m/%y"),
    "ISO 8601 beside day first": (days().where(days().index % 2 > 0, days("%d/%m/%Y")), "%d/%m/%Y"),
    "noughts for a missing date": (days().where(days().index % 10 > 0, "0000-00-00"), ""),
    "quarters": (pd.Series([f"Q{k % 4 + 1} {2000 + k % 20}" for k in range(N)]), "%YQ%q"),
    "names of months": (days("%b-%y"), "%b-%y"),
    "names of months in German": (
        days("%d. %B %Y").replace({"May": "Mai", "March": "März"}, regex=True),
        "%d %b %Y",
    ),
    "names of months in French": (
        days("%b %Y").replace({"Feb": "févr.", "Aug": "août", "Jun": "juin"}, regex=True),
        "%b %Y",
    ),
    "weeks": (days("%G-W%V"), "%G-W%V"),
    "weeks without a sign": (days("%GW%V"), "%G-W%V"),
}


@pytest.mark.parametrize("case", DATES)
def test_dates_are_told_however_they_are_written(define, frame, case):
    dates, form = DATES[case]
    found = check(define(), frame.assign(when=dates), {}).kinds["when"]
    assert (found.kind, found.written, found.doubt) == ("date", form, "")


@pytest.mark.parametrize("numbers", [range(1900, 1900 + N), [202301, 202302] * (N // 2)])
def test_a_whole_number_is_a_date_only_where_one_is_named(define, frame, numbers):
    built = frame.assign(built=list(numbers))
    assert check(define(), built, {}).kinds["built"].kind == "number"
    assert (
        check(define(columns={"kinds": {"built": "date"}}), built, {}).kinds["built"].kind == "date"
    )
    _, split, *_ = check(
        define(columns={"date": "built"}, split={"by": "date"}), built, {}
    ).sentences
    assert f"({str(numbers[0])[:4]}-01-01 to " in split


NO_DATES = [["1.2.10", "2.11.3"], ["10-20", "20-30"], ["11:17", "12:30"], ["Marina 12", "Junior 7"]]


@pytest.mark.parametrize("labels", NO_DATES)
def test_what_only_resembles_a_date_is_none(define, frame, labels):
    assert check(define(), frame.assign(size=labels * (N // 2)), {}).kinds["size"].kind != "date"


def test_a_date_that_does_not_exist_is_named_with_its_row(define, frame):
    wrong = frame.assign(when=days().where(days().index != 16, "2023-02-30"))
    with pytest.raises(UserError, match="\"when\" has '2023-02-30' in row 17, but must be a date"):
        check(define(), wrong, {})


def test_whether_the_day_or_the_month_is_first_is_said_where_it_is_in_doubt(
    define, frame, tmp_path
):
    doubtful = frame.assign(when=np.where(frame.index % 2, "03/04/2023", "05/06/2023"))
    says = '"when" is read as %d/%m/%Y, but %m/%d/%Y fits as well'
    assert says in define_step(Project(tmp_path, define()), doubtful, {})
    stated = define(columns={"kinds": {"when": "%m/%d/%Y"}})
    assert says not in define_step(Project(tmp_path, stated), doubtful, {})
    for definition, month in ((define(), 4), (stated, 3)):
        project = Project(tmp_path, definition)
        said = prepare(project, doubtful.copy(), take_test, lambda rows: rows)
        assert (says in said) == (month == 4)
        rows = pd.read_parquet(project.prepared / "train.parquet")
        assert rows.loc[rows.index % 2 > 0, "when"].dt.month.unique().tolist() == [month]


SPOILED = {
    "no inputs": (lambda f: f[["y"]], "No column is left as an input"),
    "one row": (lambda f: f.head(1), "The data has 1 row"),
    "fewer rows than folds": (lambda f: f.head(4), "The data has 4 rows"),
    "names twice": (lambda f: pd.concat([f, f[["age"]]], axis=1), 'more than one column "age"'),
    "infinite": (lambda f: f.assign(income=np.inf), r'"income" has .*inf.* a finite number'),
    "late stray": (
        lambda f: pd.concat([f] * 30, ignore_index=True).assign(
            visits=lambda g: np.where(g.index == 11_000, "many", "1")
        ),
        r"\"visits\" has 'many' in row 11,001, but must be a number; .* add \"many\" to \[data\]",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_data_that_cannot_answer_is_refused(define, frame, case):
    spoil, expected = SPOILED[case]
    with pytest.raises(UserError, match=expected):
        check(define(), spoil(frame), {})


def test_columns_are_sorted_out_with_reasons(frame, goal, problem_type):
    found = suggest(frame, "y", problem_type)
    assert found.problem["type"][0] == problem_type
    assert list(found.columns["id"]) == ["customer_id"]
    twice = pd.concat([frame, frame.head(9)], ignore_index=True)
    assert list(suggest(twice, "y", problem_type).columns["id"]) == ["customer_id"]
    dates = ["joined", "born"]
    assert list(found.columns["drop"])[:2] == ["country", "plan code"]
    if goal.needs_target:
        assert found.columns["date"] == {"joined": "is the only date that every row has"}
        assert list(found.columns["unknown_at_prediction"]) == ["after"]
        assert "predicts the target alone" in found.columns["unknown_at_prediction"]["after"]
        assert [found.kinds[name].kind for name in dates] == ["date", "date"]
    else:
        assert list(found.columns["drop"])[2:4] == dates
    kinds = {name: kind.kind for name, kind in found.kinds.items()}
    assert list(found.missing) == ["unknown"]
    assert {name: kinds[name] for name in kinds if name not in ["after", *dates]} == {
        "age": "number",
        "visits": "category",
        "zip": "category",
        "plan": "category",
        "fax": "category",
        "income": "number",
    }
    assert "mostly missing" in found.kinds["fax"].reason
    assert '"60+"' in found.kinds["visits"].reason


def test_a_text_that_is_a_label_elsewhere_does_not_become_missing(frame, problem_type):
    frame["home"] = np.where(frame.index % 3, "own", "unknown")
    found = suggest(frame, "y", problem_type)
    assert found.missing == {}
    assert found.kinds["age"].kind == "category"
    assert 'a label of "home"' in found.kinds["age"].reason


def test_things_with_several_rows_become_the_group(frame, problem_type):
    frame["patient_id"] = [f"p{n % 150}" for n in range(N)]
    assert list(suggest(frame, "y", problem_type).columns["group"]) == ["patient_id"]


@pytest.mark.parametrize(("name", "group"), [("patientId", ["patientId"]), ("malic_acid", [])])
def test_a_name_that_only_ends_like_id_is_no_group(frame, name, group, problem_type):
    frame[name] = np.arange(N) % 150 + 0.5
    assert list(suggest(frame, "y", problem_type).columns["group"]) == group


def test_a_target_that_the_data_does_not_have_is_refused(frame, problem_type):
    with pytest.raises(
        UserError, match='"Y", a column that the data does not have; did you mean "y"'
    ):
        suggest(frame, "Y", problem_type)


def test_a_target_that_cannot_be_predicted_here_is_refused(frame, goal, problem_type):
    unpredictable = {
        "joined": "holds dates, but a target is a label or a number",
        "income" if problem_type == "classification" else "plan": "`copier update --data problem_t",
    }
    for target, expected in unpredictable.items() if goal.needs_target else ():
        with pytest.raises(UserError, match=expected):
            suggest(frame, target, problem_type)


@pytest.fixture
def file(define, tmp_path):
    """A project.toml with comments."""
    document = tomlkit.item(define().model_dump())
    document["problem"].add(tomlkit.comment("Mine."))
    document["search"]["folds"] = 3
    path = tmp_path / "project.toml"
    path.write_text(tomlkit.dumps(document), encoding="utf-8")
    return path


def test_a_suggestion_is_written_with_reasons_and_the_rest_stays(file, frame, problem_type):
    before = file.read_text(encoding="utf-8")
    frame['a "strange"\nname'] = range(N, 0, -1)
    data = str(file.parent / "in" / "my.csv")
    sentences = write_suggestion(file, suggest(frame, "y", problem_type), {}, data)
    assert "400 rows" in sentences[0]
    text = file.read_text(encoding="utf-8")
    assert "# Mine." in text
    assert '"country", # is "DE" in every row' in text
    assert file.with_name("project.toml.bak").read_text(encoding="utf-8") == before
    definition = check_definition(tomlkit.parse(text).unwrap())
    assert definition.data.path == "in/my.csv"
    assert definition.data.missing == ["unknown"]
    assert definition.search.folds == 3
    assert definition.columns.kinds['a "strange"\nname'] == "number"


def test_a_suggestion_that_does_not_hold_leaves_the_file_alone(file, frame, problem_type):
    before = file.read_bytes()
    with pytest.raises(UserError):
        write_suggestion(file, suggest(frame.head(4), "y", problem_type), {}, "my.csv")
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_misspelt_metric_is_said_with_those_that_are_allowed(define, frame):
    with pytest.raises(UserError, match=r'\[problem\] metric is "luck"; allowed: \w+, '):
        check(define(problem={"metric": "luck"}), frame, {})


def test_a_type_whose_code_the_project_does_not_hold_is_said_with_the_way_to_it(file, problem_type):
    held = "regression" if problem_type != "regression" else "classification"
    answers = f"problem_type: {held}\n"
    file.with_name(".copier-answers.yml").write_text(answers, encoding="utf-8")
    with pytest.raises(UserError, match=f"code for {held}; .*problem_type={problem_type}`"):
        read_definition(file)


def test_a_source_whose_library_is_not_installed_is_said_with_the_way_to_it(
    define, tmp_path, monkeypatch
):
    data = {"source": "api", "path": "", "url": "https://host.invalid/x"}
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "mlsteps.collection.api", raising=False)
    with pytest.raises(UserError, match="copier update --data data_source=api"):
        open_source(Project(tmp_path, define(data=data)))
